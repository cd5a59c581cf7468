package rows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

const (
	restartWithin = time.Minute
	// orphansWithin is how long the dead may be listed.
	orphansWithin = 12 * time.Second
	restartLease  = 6 * time.Second
	doomed        = 5
)

// restart measures how long a killed server's tables are behind.
func restart() Row {
	return Row{
		Name:  "restart",
		Title: "SIGKILL of the bus and restart → all of 1,000 tables correct",
		Method: "The server is killed together with a process that keeps five instances, and started again at once on the same data. A flag is flipped " +
			"as soon as a write succeeds; the time ends when that is in all of 1,000 tables, on as many connections. The five have to be gone from all " +
			"tables after 12 s, the living 20 have to be there. NATS's keys do not expire, so its tables keep the five.",
		RoundsMost: 2,
		Only:       []string{"fairlead", "etcd", "nats", "zookeeper"},
		Figures: []Figure{
			{Name: "correct", Title: "all tables correct", Unit: "s", Target: lower(1.5)},
			{Name: "gone", Title: "the dead gone from all tables", Unit: "s", Target: verdict.Target{Better: verdict.Lower}},
			{Name: "wrong", Title: "tables with orphans, or without the living", Unit: "tables", Target: verdict.Target{Better: verdict.Lower, Zero: true}},
		},
		Terms: systems.Terms{Lease: restartLease},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			return measureRestart(ctx, b, pick(quick, 100, listeners))
		},
	}
}

func measureRestart(ctx context.Context, b *lab.Bench, connections int) (Values, error) {
	dying, err := b.Worker(ctx, 1)
	if err != nil {
		return nil, err
	}
	dead := instances(service, "doomed", doomed)
	if err := dying.Keep(ctx, dead); err != nil {
		return nil, err
	}
	living := instances(service, "host", flipInstances)
	s, err := setScene(ctx, b, sceneOf{instances: living, connections: connections, listeners: connections, writers: 1})
	if err != nil {
		return nil, err
	}
	want := truth(living, systems.Enabled)
	want[living[0].Key()] = systems.Disabled
	expected := truth(dead, systems.Absent)
	expected[living[0].Key()] = systems.Disabled
	if err := s.audience.Expect(ctx, expected); err != nil {
		return nil, err
	}
	began := clock.Now()
	b.Server().Kill()
	dying.Kill()
	if err := b.StartServer(); err != nil {
		return nil, err
	}
	return afterRestart(ctx, s, began, living[0], dead, want)
}

func afterRestart(ctx context.Context, s scene, began clock.Instant, flipped systems.Instance, dead []systems.Instance, want map[systems.Key]systems.State) (Values, error) {
	if _, err := s.writer.Flip(ctx, worker.FlipArgs{Instance: flipped, Insist: restartWithin}); err != nil {
		return nil, fmt.Errorf("write after the restart: %w", err)
	}
	correct, err := lastOf(ctx, s.audience, flipped.Key(), began, restartWithin)
	if err != nil {
		return nil, err
	}
	left := max(orphansWithin-clock.Now().Sub(began), time.Second)
	census, err := s.audience.Census(ctx, want, left)
	if err != nil {
		return nil, err
	}
	var gone time.Duration
	for _, in := range dead {
		one, err := lastOf(ctx, s.audience, in.Key(), began, 0)
		if err != nil && !errors.Is(err, errMissed) {
			return nil, err
		}
		gone = max(gone, one)
	}
	return Values{"correct": correct.Seconds(), "gone": gone.Seconds(), "wrong": float64(census.Wrong)}, nil
}

// lastOf returns how long after an instant the last listener was there.
func lastOf(ctx context.Context, audience *worker.Worker, k systems.Key, began clock.Instant, within time.Duration) (time.Duration, error) {
	times, err := audience.Reached(ctx, k, within)
	if err != nil {
		return 0, err
	}
	took, err := since(began, times)
	if len(took) == 0 {
		return 0, err
	}
	return slices.Max(took), err
}
