package clientrows

import (
	"context"
	"slices"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/upstream"
	"fairlead.dev/bench/internal/verdict"
)

const (
	killsRate = 2000
	killsLeft = 300 * time.Millisecond
)

// kills measures what a caller notices of instances that are killed.
func kills() Row {
	return Row{
		Name:  "kills",
		Title: "One of three instances killed with SIGKILL every second, 2,000 requests a second",
		Method: "GET, PUT (1 KiB) and DELETE in turn for a minute, sent when they are due. A killed process stays listed for 300 ms, as long as the registry " +
			"may take; its successor is listed once it listens. A request fails if it has no answer, or one from 400 on.",
		RoundsMost: 1,
		Figures: []Figure{
			{Name: "failed", Title: "failed requests", Unit: "", Target: none(), Peers: killPeers},
			{Name: "least", Title: "successes in the worst second", Unit: "1/s", Target: verdict.Target{Better: verdict.Higher, Bound: 1900}, Peers: killPeers},
			{Name: "p99", Title: "p99", Unit: "ms", Target: informative(verdict.Lower), Peers: killPeers},
		},
		Measure: measureKills,
	}
}

var killPeers = []string{clients.Failsafe, clients.Retryable, clients.Kratos}

func measureKills(ctx context.Context, l Lab) (Values, error) {
	v := Values{}
	for _, s := range l.among(clients.Fairlead, clients.Failsafe, clients.Retryable, clients.Kratos) {
		if err := l.killed(ctx, s, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (l Lab) killed(ctx context.Context, s clients.System, v Values) error {
	herd, err := l.newHerd(3)
	if err != nil {
		return err
	}
	defer herd.killAll()
	client, err := s.Open(herd.fleet)
	if err != nil {
		return err
	}
	defer client.Close()
	phase := pick(l.Quick, 4*time.Second, time.Minute)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	killing := make(chan error, 1)
	go func() { killing <- herd.killEach(ctx, time.Second, int(phase/time.Second)-1) }()
	samples := load{client: client, rate: killsRate, phase: phase, methods: []string{"GET", "PUT", "DELETE"}}.run(ctx)
	cancel()
	if err := <-killing; err != nil {
		return err
	}
	// What is due in the last second may be answered after it.
	seconds := buckets(samples, time.Second)[:int(phase/time.Second)-1]
	v.set("failed", s.Name, float64(failures(samples)))
	v.set("least", s.Name, float64(slices.Min(seconds)))
	v.set("p99", s.Name, p99(samples, 0))
	return nil
}

// A herd is upstream processes of one instance each, some of which die.
type herd struct {
	lab   Lab
	fleet *clients.Fleet
	alive []*upstream.Process
}

func (l Lab) newHerd(n int) (*herd, error) {
	h := &herd{lab: l, fleet: clients.NewFleet()}
	for range n {
		if err := h.start(); err != nil {
			h.killAll()
			return nil, err
		}
	}
	return h, nil
}

func (h *herd) start() error {
	p, err := upstream.Start(h.lab.Self, h.lab.Dir, 1)
	if err != nil {
		return err
	}
	h.alive = append(h.alive, p)
	h.fleet.Add(p.Addrs...)
	return nil
}

func (h *herd) killAll() {
	for _, p := range h.alive {
		p.Kill()
	}
}

// killEach kills the oldest, starts another, and takes the dead one off the
// list when the registry would have.
func (h *herd) killEach(ctx context.Context, every time.Duration, most int) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range most {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		victim := h.alive[0]
		h.alive = h.alive[1:]
		victim.Kill()
		unlist := time.AfterFunc(killsLeft, func() { h.fleet.Remove(victim.Addrs[0]) })
		defer unlist.Stop()
		if err := h.start(); err != nil {
			return err
		}
	}
	return nil
}
