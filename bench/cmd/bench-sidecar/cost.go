package main

import (
	"context"
	"time"

	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/verdict"
)

const (
	ourBuiltin  = "fairlead-builtin"
	ourHAProxy  = "fairlead-haproxy"
	handHAProxy = "haproxy"
	caddy       = "caddy"

	costConnections = 64
	costFor         = 3 * time.Second
)

var costRow = row{
	name: "cost", title: "Processor time a request",
	method: "wrk on 64 kept connections, 3 s a proxy and round, answers of 200 bytes. The time is that of the proxy's processes, " +
		"user and system, from /proc; ratios are of the same round.",
	measure: measureCost,
}

func measureCost(ctx context.Context, s *scene) ([]report.Figure, error) {
	var running []*proxies.Running
	defer func() {
		for _, r := range running {
			r.Stop()
		}
	}()
	for _, proxy := range proxies.All(s.programs) {
		r, err := proxy.Start(ctx, s.place)
		if err != nil {
			return nil, err
		}
		running = append(running, r)
	}
	cost := samples{}
	for round := range s.Rounds + 1 { // the first is for warming up
		for i := range running {
			r := running[(i+round)%len(running)]
			micros, err := costOf(ctx, r)
			if err != nil {
				return nil, err
			}
			if round > 0 || s.Quick {
				cost.add(r.Name, micros)
			}
		}
	}
	return []report.Figure{
		cost.figure("µs a request", "µs", "", verdict.Target{}),
		cost.over(ourHAProxy, handHAProxy).figure("HAProxy plane ÷ HAProxy", "×", ourHAProxy, atMost(1.05)),
		cost.over(ourBuiltin, handHAProxy).figure("built-in plane ÷ HAProxy", "×", ourBuiltin, atMost(2.5)),
		cost.over(ourBuiltin, caddy).figure("built-in plane ÷ Caddy", "×", ourBuiltin, atMost(0.5)),
	}, nil
}

// costOf returns microseconds of processor time a request.
func costOf(ctx context.Context, r *proxies.Running) (float64, error) {
	meter := process.TreeMeter(r.Child)
	requests, err := proxies.Wrk(ctx, r.URL(), costConnections, costFor)
	if err != nil {
		return 0, err
	}
	took, err := meter()
	return float64(took.Microseconds()) / float64(requests), err
}
