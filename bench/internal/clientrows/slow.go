package clientrows

import (
	"context"
	"sync"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/upstream"
	"fairlead.dev/bench/internal/verdict"
)

// The healthy instances take slowBase, the slow one fifty times as long.
const (
	slowInstances = 10
	slowBase      = 4 * time.Millisecond
	slowFactor    = 50
	slowRate      = 300
	slowWarmUp    = 2 * time.Second
)

// slowInstance measures how well a client keeps away from an instance that
// turned slow.
func slowInstance() Row {
	return Row{
		Name:  "slow-instance",
		Title: "One of ten instances made 50 × slower",
		Method: "Two fleets of ten instances that take 4 ms each, with a client each that sends 300 GETs a second, both at the same time; after two seconds " +
			"one instance of the second fleet takes 200 ms. p99 of 8 s that begin two seconds later, relative to the first fleet's of the same 8 s, for " +
			"whatever else the machine does meets both. `round-robin` is what no choice does.",
		Figures: []Figure{
			{Name: "ratio", Title: "p99 relative to the healthy p99", Unit: "×", Target: lower(1.5), Peers: slowPeers},
			{Name: "healthy", Title: "healthy p99", Unit: "ms", Target: informative(verdict.Lower), Peers: slowPeers},
			{Name: "slow", Title: "p99 with the slow one", Unit: "ms", Target: informative(verdict.Lower), Peers: slowPeers},
		},
		Measure: measureSlowInstance,
	}
}

var slowPeers = []string{clients.RoundRobin, clients.Kratos}

func measureSlowInstance(ctx context.Context, l Lab) (Values, error) {
	v := Values{}
	for _, s := range l.among(clients.Fairlead, clients.RoundRobin, clients.Kratos) {
		if err := l.slowed(ctx, s, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (l Lab) slowed(ctx context.Context, s clients.System, v Values) error {
	well, err := l.newTen(ctx, s)
	if err != nil {
		return err
	}
	defer well.end()
	ill, err := l.newTen(ctx, s)
	if err != nil {
		return err
	}
	defer ill.end()
	warmUp := pick(l.Quick, 100*time.Millisecond, slowWarmUp)
	sendBoth(ctx, well, ill, warmUp)
	if err := ill.up.Behave(ctx, 0, upstream.Behaviour{Delay: slowFactor * slowBase}); err != nil {
		return err
	}
	ofWell, ofIll := sendBoth(ctx, well, ill, pick(l.Quick, time.Second, 10*time.Second))
	healthy, slow := p99(ofWell, warmUp), p99(ofIll, warmUp)
	v.set("healthy", s.Name, healthy)
	v.set("slow", s.Name, slow)
	v.set("ratio", s.Name, slow/healthy)
	return nil
}

// A ten is a fleet of instances that are well at first, and its client.
type ten struct {
	up     *upstream.Process
	client clients.Client
}

func (l Lab) newTen(ctx context.Context, s clients.System) (t ten, err error) {
	if t.up, err = upstream.Start(l.Self, l.Dir, slowInstances); err != nil {
		return t, err
	}
	if err = t.up.BehaveAll(ctx, upstream.Behaviour{Delay: slowBase}); err == nil {
		t.client, err = s.Open(clients.NewFleet(t.up.Addrs...))
	}
	if err != nil {
		t.up.Kill()
	}
	return t, err
}

func (t ten) end() {
	t.client.Close()
	t.up.Kill()
}

// sendBoth has both fleets asked at the same time.
func sendBoth(ctx context.Context, well, ill ten, phase time.Duration) (ofWell, ofIll []sample) {
	steady := func(t ten) load {
		return load{client: t.client, rate: slowRate, phase: phase, methods: []string{"GET"}}
	}
	var both sync.WaitGroup
	both.Go(func() { ofWell = steady(well).run(ctx) })
	both.Go(func() { ofIll = steady(ill).run(ctx) })
	both.Wait()
	return ofWell, ofIll
}
