package rows

import (
	"context"
	"fmt"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

const (
	listeners     = 1000
	flipInstances = 20
	flipWarmUp    = 5
	flipPace      = 50 * time.Millisecond
	flipPatience  = 10 * time.Second
)

// flip measures one change at a time: from when the flip is issued to when it
// is in the table of each listener.
func flip(name string, connections int, p50, p99 float64) Row {
	return Row{
		Name:  name,
		Title: fmt.Sprintf("One flag flipped → applied by %d listeners on %d connections", listeners, connections),
		Method: "One flip at a time in a service of 20 instances, 50 ms apart, by a writer of its own; " +
			"percentiles over all listeners and flips of a round.",
		Figures: []Figure{
			{Name: "p50", Title: "p50", Unit: "ms", Target: verdict.Target{Better: verdict.Lower, Ratio: p50}},
			{Name: "p99", Title: "p99", Unit: "ms", Target: verdict.Target{Better: verdict.Lower, Ratio: p99}},
			serverCost, listenersCost,
		},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			return measureFlips(ctx, b, connections, pick(quick, 5, 40))
		},
	}
}

func measureFlips(ctx context.Context, b *lab.Bench, connections, flips int) (Values, error) {
	of := sceneOf{instances: instances(service, "host", flipInstances), connections: connections, listeners: listeners, writers: 1}
	s, err := setScene(ctx, b, of)
	if err != nil {
		return nil, err
	}
	if _, err := flipSome(ctx, s, of.instances, 0, flipWarmUp); err != nil {
		return nil, err
	}
	return costed(b, s, flips, func() (Values, error) {
		took, err := flipSome(ctx, s, of.instances, flipWarmUp, flips)
		return Values{"p50": milliseconds(stat.Percentile(took, 50)), "p99": milliseconds(stat.Percentile(took, 99))}, err
	})
}

// flipSome goes on with flips after those that were made already.
func flipSome(ctx context.Context, s scene, all []systems.Instance, made, more int) ([]time.Duration, error) {
	var took []time.Duration
	for n := made; n < made+more; n++ {
		one, err := flipOne(ctx, s, all, n)
		if err != nil {
			return nil, fmt.Errorf("flip %d: %w", n, err)
		}
		took = append(took, one...)
		if err := rest(ctx, flipPace); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// flipOne takes the instances in turn, and disables those that are enabled.
func flipOne(ctx context.Context, s scene, all []systems.Instance, n int) ([]time.Duration, error) {
	in, enabled := all[n%len(all)], n/len(all)%2 == 1
	if err := s.audience.Expect(ctx, map[systems.Key]systems.State{in.Key(): systems.StateOf(enabled)}); err != nil {
		return nil, err
	}
	span, err := s.writer.Flip(ctx, worker.FlipArgs{Instance: in, Enabled: enabled})
	if err != nil {
		return nil, err
	}
	times, err := s.audience.Reached(ctx, in.Key(), flipPatience)
	if err != nil {
		return nil, err
	}
	return since(span.Began, times)
}
