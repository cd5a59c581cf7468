package clientrows

import (
	"context"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/upstream"
	"fairlead.dev/bench/internal/verdict"
)

const (
	calmRate    = 200
	stormRate   = 10 * calmRate
	freePerSec  = 10
	goodputLeft = 0.95
	bucketWidth = 250 * time.Millisecond
)

// overload measures what a client makes of a service's trouble.
func overload() Row {
	return Row{
		Name:  "overload",
		Title: "Every answer a 503 at ten times the load",
		Method: "200 GETs a second to three instances that are well; then 2,000 a second for ten seconds in which all answer 503; then 200 again, all well. " +
			"Attempts are what the instances saw in those ten seconds, less ten a second, for each request. The goodput is back when every later quarter of a second " +
			"has 95 % of its requests answered well.",
		RoundsMost: 1,
		Figures: []Figure{
			{Name: "attempts", Title: "attempts a request, less 10 a second", Unit: "", Target: lower(1.2), Peers: killPeers},
			{Name: "back", Title: "goodput back after", Unit: "s", Target: verdict.Target{Better: verdict.Lower, Bound: 2}, Peers: killPeers},
		},
		Measure: measureOverload,
	}
}

func measureOverload(ctx context.Context, l Lab) (Values, error) {
	v := Values{}
	for _, s := range l.among(clients.Fairlead, clients.Failsafe, clients.Retryable, clients.Kratos) {
		if err := l.overloaded(ctx, s, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (l Lab) overloaded(ctx context.Context, s clients.System, v Values) error {
	up, err := upstream.Start(l.Self, l.Dir, 3)
	if err != nil {
		return err
	}
	defer up.Kill()
	client, err := s.Open(clients.NewFleet(up.Addrs...))
	if err != nil {
		return err
	}
	defer client.Close()
	calm := load{client: client, rate: calmRate, phase: pick(l.Quick, time.Second, 5*time.Second), methods: []string{"GET"}}
	storm := load{client: client, rate: stormRate, phase: pick(l.Quick, time.Second, 10*time.Second), methods: []string{"GET"}}
	calm.run(ctx)
	attempts, err := counted(ctx, up, storm)
	if err != nil {
		return err
	}
	requests := storm.phase.Seconds() * stormRate
	v.set("attempts", s.Name, (float64(attempts)-freePerSec*storm.phase.Seconds())/requests)
	v.set("back", s.Name, backAfter(buckets(calm.run(ctx), bucketWidth), calmRate).Seconds())
	return nil
}

// counted returns how many requests the instances saw of a load while they
// failed.
func counted(ctx context.Context, up *upstream.Process, storm load) (int, error) {
	before, err := up.Seen(ctx)
	if err != nil {
		return 0, err
	}
	if err := up.BehaveAll(ctx, upstream.Behaviour{Status: 503}); err != nil {
		return 0, err
	}
	storm.run(ctx)
	after, err := up.Seen(ctx)
	if err != nil {
		return 0, err
	}
	return after - before, up.BehaveAll(ctx, upstream.Behaviour{})
}

// backAfter returns the end of the last bucket with too few successes.
func backAfter(counts []int, rate int) time.Duration {
	enough := goodputLeft * float64(rate) * bucketWidth.Seconds()
	for i := len(counts) - 1; i >= 0; i-- {
		// The last one may be cut.
		if i < len(counts)-1 && float64(counts[i]) < enough {
			return time.Duration(i+1) * bucketWidth
		}
	}
	return 0
}
