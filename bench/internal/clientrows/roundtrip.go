package clientrows

import (
	"context"
	"errors"
	"math"
	"runtime"
	"syscall"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/upstream"
	"fairlead.dev/bench/internal/verdict"
)

// roundTrips measures what each client adds to a request of the plain one.
func roundTrips() Row {
	return Row{
		Name:  "round-trip",
		Title: "One request over loopback, beyond what the plain client takes",
		Method: "GETs one after the other to one instance in another process, in batches of 100 that take turns between the clients; " +
			"of each client the median of how much longer its batch took than plain's of the same turn. No request has a deadline. Allocations are the client process's, in whole numbers: net/http itself starts a timer now and then. `fairlead-bare` has neither retries nor telemetry, " +
			"`fairlead` has its defaults with metrics recorded, `fairlead-traced` and `otelhttp` record metrics and every span.",
		Figures: []Figure{
			{Name: "bare", Title: "bare: time", Unit: "µs", Target: lower(2), Of: clients.FairleadBare, Peers: noPeers},
			{Name: "bare-allocs", Title: "bare: allocations", Unit: "", Target: lower(4), Of: clients.FairleadBare, Peers: noPeers},
			{Name: "full", Title: "retries and metrics: time", Unit: "µs", Target: lower(5), Peers: []string{clients.Failsafe, clients.Retryable, clients.Kratos}},
			{Name: "full-allocs", Title: "retries and metrics: allocations", Unit: "", Target: informative(verdict.Lower), Peers: []string{clients.Failsafe, clients.Retryable, clients.Kratos}},
			{Name: "traced", Title: "with traces: time", Unit: "µs", Target: verdict.Target{Better: verdict.Lower, Ratio: 1}, Of: clients.FairleadTrace, Peers: []string{clients.OTelHTTP}},
			{Name: "cpu", Title: "processor time", Unit: "µs", Target: informative(verdict.Lower)},
			{Name: "plain", Title: "the plain client's whole request", Unit: "µs", Target: informative(verdict.Lower), Of: clients.Plain, Peers: noPeers},
		},
		Measure: measureRoundTrips,
	}
}

var noPeers = []string{"-"}

const perBatch = 100

// A batch is what one request of a batch took.
type batch struct{ wall, cpu, allocs float64 }

func measureRoundTrips(ctx context.Context, l Lab) (Values, error) {
	up, err := upstream.Start(l.Self, l.Dir, 1)
	if err != nil {
		return nil, err
	}
	defer up.Kill()
	fleet := clients.NewFleet(up.Addrs...)
	open, closeAll, err := l.openAll(fleet, l.Systems)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	all := map[string][]batch{}
	for n := range pick(l.Quick, 5, 300) {
		for i := range l.Systems {
			s := l.Systems[(i+n)%len(l.Systems)].Name
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b, err := oneBatch(open[s])
			if err != nil {
				return nil, err
			}
			if n > 1 { // the first make connections
				all[s] = append(all[s], b)
			}
		}
	}
	return aboveThePlain(all)
}

// openAll opens a client of each system.
func (l Lab) openAll(f *clients.Fleet, systems []clients.System) (map[string]clients.Client, func(), error) {
	open := map[string]clients.Client{}
	closeAll := func() {
		for _, c := range open {
			c.Close()
		}
	}
	for _, s := range systems {
		c, err := s.Open(f)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		open[s.Name] = c
	}
	return open, closeAll, nil
}

// oneBatch sends requests without a deadline: the row's own would have the
// smart client tell the instance of it, in a header that others do not send.
func oneBatch(c clients.Client) (batch, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := processorTime(), time.Now()
	for range perBatch {
		if _, err := c.Send(ctx, "GET", "/users/1", nil); err != nil {
			return batch{}, err
		}
	}
	wall := time.Since(began)
	cpu = processorTime() - cpu
	runtime.ReadMemStats(&after)
	return batch{
		wall: microseconds(wall) / perBatch, cpu: microseconds(cpu) / perBatch,
		allocs: float64(after.Mallocs-before.Mallocs) / perBatch,
	}, nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var errNoPlain = errors.New("round-trip: needs the system plain to compare with")

func aboveThePlain(all map[string][]batch) (Values, error) {
	if len(all[clients.Plain]) == 0 {
		return nil, errNoPlain
	}
	plain := all[clients.Plain]
	v := Values{}
	for name, batches := range all {
		more := middle(above(batches, plain))
		for _, figure := range []string{"bare", "full", "traced"} {
			v.set(figure, name, more.wall)
		}
		v.set("bare-allocs", name, math.Round(more.allocs))
		v.set("full-allocs", name, math.Round(more.allocs))
		v.set("cpu", name, more.cpu)
	}
	v.set("plain", clients.Plain, middle(plain).wall)
	return v, nil
}

// above compares batches of the same turn: what else the machine did then, it
// did to both.
func above(batches, plain []batch) []batch {
	more := make([]batch, len(batches))
	for i, b := range batches {
		more[i] = batch{wall: b.wall - plain[i].wall, cpu: b.cpu - plain[i].cpu, allocs: b.allocs - plain[i].allocs}
	}
	return more
}

func middle(batches []batch) batch {
	column := func(of func(batch) float64) float64 {
		var values []float64
		for _, b := range batches {
			values = append(values, of(b))
		}
		return stat.Median(values)
	}
	return batch{
		wall:   column(func(b batch) float64 { return b.wall }),
		cpu:    column(func(b batch) float64 { return b.cpu }),
		allocs: column(func(b batch) float64 { return b.allocs }),
	}
}
