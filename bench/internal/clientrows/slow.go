package clientrows

import (
	"context"
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
		Method: "300 GETs a second to ten instances that take 4 ms each; then one of them takes 200 ms. p99 of 8 s, the first two of a phase left out, " +
			"relative to p99 while all were well. `round-robin` is what no choice does.",
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
	up, err := upstream.Start(l.Self, l.Dir, slowInstances)
	if err != nil {
		return err
	}
	defer up.Kill()
	if err := up.BehaveAll(ctx, upstream.Behaviour{Delay: slowBase}); err != nil {
		return err
	}
	client, err := s.Open(clients.NewFleet(up.Addrs...))
	if err != nil {
		return err
	}
	defer client.Close()
	warmUp := pick(l.Quick, 100*time.Millisecond, slowWarmUp)
	steady := load{client: client, rate: slowRate, phase: pick(l.Quick, time.Second, 10*time.Second), methods: []string{"GET"}}
	healthy := p99(steady.run(ctx), warmUp)
	if err := up.Behave(ctx, 0, upstream.Behaviour{Delay: slowFactor * slowBase}); err != nil {
		return err
	}
	slow := p99(steady.run(ctx), warmUp)
	v.set("healthy", s.Name, healthy)
	v.set("slow", s.Name, slow)
	v.set("ratio", s.Name, slow/healthy)
	return nil
}
