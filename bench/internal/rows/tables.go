package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

const (
	tableServices = 100
	crowd         = 64
	// tableLease has to outlast the rests of whoever keeps the instances.
	tableLease = 40 * time.Second
	loadPace   = 200 * time.Millisecond
)

func lower(bound float64) verdict.Target { return verdict.Target{Better: verdict.Lower, Bound: bound} }

// tables10k measures how long a fresh table takes, alone and in a crowd.
func tables10k() Row {
	return Row{
		Name:  "table-10k",
		Title: "A fresh table of 10,000 instances",
		Method: "A connected client follows a realm of 100 services until its table is complete, its watches included, 15 times in a round; " +
			"then 64 clients, a connection each, at once, until the last is complete.",
		Figures: []Figure{
			{Name: "alone", Title: "one client", Unit: "ms", Target: lower(15)},
			{Name: "crowd", Title: "64 clients at once", Unit: "ms", Target: lower(500)},
			serverLoadCost, clientLoadCost,
		},
		Terms: systems.Terms{Lease: tableLease},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			t, err := fillRealm(ctx, b, pick(quick, 1000, 10_000), crowd)
			if err != nil {
				return nil, err
			}
			alone, err := t.load(ctx, pick(quick, 3, 15), 1)
			if err != nil {
				return nil, err
			}
			values, err := t.loadTogether(ctx, b, pick(quick, 1, 3))
			if err != nil {
				return nil, err
			}
			values["alone"] = alone
			return values, nil
		},
	}
}

// tables100k takes long to set up, so there is one round.
func tables100k() Row {
	return Row{
		Name:       "table-100k",
		Title:      "A fresh table of 100,000 instances",
		Method:     "As above, one client, 10 times.",
		RoundsMost: 1,
		Figures:    []Figure{{Name: "alone", Title: "one client", Unit: "ms", Target: lower(150)}},
		Terms:      systems.Terms{Lease: tableLease},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			t, err := fillRealm(ctx, b, pick(quick, 2000, 100_000), 1)
			if err != nil {
				return nil, err
			}
			alone, err := t.load(ctx, pick(quick, 3, 10), 1)
			return Values{"alone": alone}, err
		},
	}
}

// A filledRealm has a process that keeps its instances, and one that loads.
type filledRealm struct {
	keeper, loader *worker.Worker
	instances      int
}

func fillRealm(ctx context.Context, b *lab.Bench, n, clients int) (f filledRealm, err error) {
	f.instances = n
	if f.keeper, err = b.Worker(ctx, 256); err != nil {
		return f, err
	}
	if err := f.keeper.Keep(ctx, realm(tableServices, n)); err != nil {
		return f, err
	}
	if f.loader, err = b.Worker(ctx, clients); err != nil {
		return f, err
	}
	return f, rest(ctx, settleFor)
}

// What a load costs in processor time, for information, as in cost.go.
var (
	serverLoadCost = Figure{
		Name: "server", Title: "the server's processor time a load, of 64 at once", Unit: "ms", Target: verdict.Target{Better: verdict.Lower},
	}
	clientLoadCost = Figure{
		Name: "client", Title: "the client's processor time a load, of 64 at once", Unit: "ms", Target: verdict.Target{Better: verdict.Lower},
	}
)

// load returns the median of several loads, in milliseconds.
func (f filledRealm) load(ctx context.Context, times, clients int) (float64, error) {
	var took []float64
	for range times {
		one, err := f.loadOnce(ctx, clients)
		if err != nil {
			return 0, fmt.Errorf("%d clients: %w", clients, err)
		}
		took = append(took, milliseconds(one))
		if err := rest(ctx, loadPace); err != nil {
			return 0, err
		}
	}
	return stat.Median(took), nil
}

// loadTogether adds what a load costs. Heartbeats go on meanwhile, and are
// part of the server's share.
func (f filledRealm) loadTogether(ctx context.Context, b *lab.Bench, times int) (Values, error) {
	server, client := process.Meter(b.Server()), process.Meter(f.loader.Child())
	together, err := f.load(ctx, times, crowd)
	if err != nil {
		return nil, err
	}
	values := Values{"crowd": together}
	for name, meter := range map[string]func() (time.Duration, error){"server": server, "client": client} {
		cpu, err := meter()
		if err != nil {
			return nil, err
		}
		values[name] = milliseconds(cpu) / float64(times*crowd)
	}
	return values, nil
}

// loadOnce has whoever keeps the instances rest while a client loads alone:
// heartbeats of so many would cost the same two cores. A crowd may take longer
// than a lease lasts, so nobody rests then.
func (f filledRealm) loadOnce(ctx context.Context, clients int) (took time.Duration, err error) {
	if clients == 1 {
		if err := f.keeper.Child().Pause(); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, f.keeper.Child().Resume()) }()
	}
	loads, err := f.loader.Load(ctx, worker.LoadArgs{Times: 1, Clients: clients, Want: f.instances})
	if err != nil {
		return 0, err
	}
	return loads[0], nil
}
