package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/worker"
)

// A scene is what rows about changes have in common: who keeps instances
// registered, who listens, and who writes, each a process.
type scene struct {
	keeper, audience, writer *worker.Worker
}

// sceneOf says how big it is.
type sceneOf struct {
	instances   []systems.Instance
	connections int // of the listeners
	listeners   int
	writers     int // connections
}

const settleFor = time.Second

// setScene returns when all tables are complete and things have settled.
func setScene(ctx context.Context, b *lab.Bench, of sceneOf) (s scene, err error) {
	if s.keeper, err = b.Worker(ctx, 1); err != nil {
		return s, err
	}
	if err := s.keeper.Keep(ctx, of.instances); err != nil {
		return s, err
	}
	if s.audience, err = b.Worker(ctx, of.connections); err != nil {
		return s, err
	}
	if err := s.audience.Follow(ctx, service, of.listeners); err != nil {
		return s, err
	}
	if of.writers > 0 {
		if s.writer, err = b.Worker(ctx, of.writers); err != nil {
			return s, err
		}
	}
	return s, rest(ctx, settleFor)
}

var errMissed = errors.New("listeners missed a change")

// since returns how long after an instant each listener was there.
func since(began clock.Instant, times []clock.Instant) ([]time.Duration, error) {
	took := make([]time.Duration, 0, len(times))
	for _, t := range times {
		if t != 0 {
			took = append(took, t.Sub(began))
		}
	}
	if missed := len(times) - len(took); missed > 0 {
		return took, fmt.Errorf("%w: %d of %d", errMissed, missed, len(times))
	}
	return took, nil
}
