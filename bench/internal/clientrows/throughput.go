package clientrows

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/upstream"
	"fairlead.dev/bench/internal/verdict"
)

// throughput measures how many requests a second a client can send.
func throughput() Row {
	return Row{
		Name:  "throughput",
		Title: "Requests a second of 32 goroutines, relative to the plain client",
		Method: "32 goroutines send GETs one after the other to one instance in another process, in slices of a second (a tenth in quick runs) " +
			"that take turns between the clients; of each client the median of what its slice is of plain's in the same turn.",
		Figures: []Figure{
			{Name: "ratio", Title: "of plain's requests", Unit: "×", Target: verdict.Target{Better: verdict.Higher, Bound: 0.97}, Peers: []string{clients.Failsafe, clients.Retryable, clients.Kratos}},
			{Name: "rate", Title: "requests a second", Unit: "1/s", Target: informative(verdict.Higher), Peers: []string{clients.Failsafe, clients.Retryable, clients.Kratos}},
		},
		Measure: measureThroughput,
	}
}

const throughputWorkers = 32

func measureThroughput(ctx context.Context, l Lab) (Values, error) {
	up, err := upstream.Start(l.Self, l.Dir, 1)
	if err != nil {
		return nil, err
	}
	defer up.Kill()
	systems := l.among(clients.Plain, clients.FairleadBare, clients.Fairlead, clients.Failsafe, clients.Retryable, clients.Kratos)
	open, closeAll, err := l.openAll(clients.NewFleet(up.Addrs...), systems)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	rates := map[string][]float64{}
	for n := range pick(l.Quick, 2, 12) {
		for i := range systems {
			s := systems[(i+n)%len(systems)].Name
			rate, err := slice(ctx, open[s], pick(l.Quick, 100*time.Millisecond, time.Second))
			if err != nil {
				return nil, err
			}
			if n > 0 { // the first makes connections
				rates[s] = append(rates[s], rate)
			}
		}
	}
	v := Values{}
	for name, of := range rates {
		v.set("rate", name, stat.Median(of))
		if plain := rates[clients.Plain]; len(plain) > 0 {
			v.set("ratio", name, stat.Median(relative(of, plain)))
		}
	}
	return v, nil
}

func relative(rates, plain []float64) []float64 {
	of := make([]float64, len(rates))
	for i, rate := range rates {
		of[i] = rate / plain[i]
	}
	return of
}

// slice sends as many requests as it can for a while.
func slice(ctx context.Context, c clients.Client, d time.Duration) (rate float64, err error) {
	var sent atomic.Int64
	var failure atomic.Pointer[error]
	var workers sync.WaitGroup
	began := time.Now()
	for range throughputWorkers {
		workers.Go(func() {
			for time.Since(began) < d && failure.Load() == nil {
				if _, err := c.Send(ctx, "GET", "/users/1", nil); err != nil {
					failure.Store(&err)
					return
				}
				sent.Add(1)
			}
		})
	}
	workers.Wait()
	if f := failure.Load(); f != nil {
		return 0, *f
	}
	return float64(sent.Load()) / time.Since(began).Seconds(), nil
}
