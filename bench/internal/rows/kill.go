package rows

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

const (
	kills      = 120
	killPace   = 50 * time.Millisecond
	killWithin = 30 * time.Second
	killLease  = 2 * time.Second
	startsMost = 8
	listWithin = time.Minute
)

// kill measures how long a killed instance stays in tables.
func kill() Row {
	return Row{
		Name:  "kill",
		Title: "SIGKILL of an instance → out of every table",
		Method: "120 instances, a process each, are killed 50 ms apart; for each, the time until it is out of the last of 1,000 tables on 20 connections. " +
			"Fairlead on its defaults; etcd with the shortest lease (2 s), ZooKeeper with the shortest session (4 s). NATS has nothing like it: " +
			"every renewal of a key that expires would reach every watcher.",
		RoundsMost: 1,
		Only:       []string{"fairlead", "etcd", "zookeeper"},
		Figures: []Figure{
			{Name: "p50", Title: "p50", Unit: "s", Target: verdict.Target{Better: verdict.Lower}},
			{Name: "p99", Title: "p99", Unit: "s", Target: lower(0.3)},
			{Name: "wrong", Title: "tables without the living in the end", Unit: "tables", Target: verdict.Target{Better: verdict.Lower, Zero: true}},
		},
		Terms: systems.Terms{Lease: killLease},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			return measureKills(ctx, b, pick(quick, 10, kills))
		},
	}
}

func measureKills(ctx context.Context, b *lab.Bench, n int) (Values, error) {
	living, dying := instances(service, "host", flipInstances), instances(service, "doomed", n)
	s, err := setScene(ctx, b, sceneOf{instances: living, connections: 20, listeners: listeners})
	if err != nil {
		return nil, err
	}
	processes, err := startEach(ctx, b, dying)
	if err != nil {
		return nil, err
	}
	if err := listed(ctx, s, slices.Concat(living, dying)); err != nil {
		return nil, err
	}
	if err := s.audience.Expect(ctx, truth(dying, systems.Absent)); err != nil {
		return nil, err
	}
	killed := make([]clock.Instant, n)
	for i, w := range processes {
		killed[i] = clock.Now()
		w.Kill()
		if err := rest(ctx, killPace); err != nil {
			return nil, err
		}
	}
	return afterKills(ctx, s, dying, killed, living)
}

// listed waits until all tables have all instances: one that lags behind would
// never see one that is killed meanwhile.
func listed(ctx context.Context, s scene, all []systems.Instance) error {
	census, err := s.audience.Census(ctx, truth(all, systems.Enabled), listWithin)
	if err == nil && census.Wrong > 0 {
		err = fmt.Errorf("%d tables lack instances", census.Wrong)
	}
	if err != nil {
		return err
	}
	return rest(ctx, settleFor)
}

// startEach starts a process for each instance, that keeps it registered.
func startEach(ctx context.Context, b *lab.Bench, all []systems.Instance) ([]*worker.Worker, error) {
	processes := make([]*worker.Worker, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsMost)
	for i, in := range all {
		group.Go(func() (err error) {
			if processes[i], err = b.Worker(ctx, 1); err != nil {
				return err
			}
			return processes[i].Keep(ctx, []systems.Instance{in})
		})
	}
	return processes, group.Wait()
}

func afterKills(ctx context.Context, s scene, dying []systems.Instance, killed []clock.Instant, living []systems.Instance) (Values, error) {
	var took []float64
	for i, in := range dying {
		one, err := lastOf(ctx, s.audience, in.Key(), killed[i], killWithin)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.ID, err)
		}
		took = append(took, one.Seconds())
	}
	census, err := s.audience.Census(ctx, truth(living, systems.Enabled), time.Second)
	if err != nil {
		return nil, err
	}
	return Values{"p50": stat.Percentile(took, 50), "p99": stat.Percentile(took, 99), "wrong": float64(census.Wrong)}, nil
}
