package rows

import (
	"context"
	"fmt"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

// registrations measures durable registrations a second.
func registrations(registrars int, ratio float64) Row {
	return Row{
		Name:  fmt.Sprintf("register-%d", registrars),
		Title: fmt.Sprintf("Registrations a second, durable, %d registrars", registrars),
		Method: "Each registrar has a connection of its own and registers new instances of 100 services one after the other for three seconds. " +
			"etcd: a put under the connection's lease, granted before; ZooKeeper: an ephemeral node; NATS: a put of a key that does not expire.",
		Figures: []Figure{
			{Name: "rate", Title: "registrations a second", Unit: "1/s", Target: verdict.Target{Better: verdict.Higher, Ratio: ratio}},
			{Name: "server", Title: "the server's processor time for one", Unit: "ms", Target: verdict.Target{Better: verdict.Lower}},
		},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			return measureRegistrations(ctx, b, worker.RegisterArgs{
				Registrars: registrars, Services: 100, WarmUp: 2, For: pick(quick, time.Second, 3*time.Second),
			})
		},
	}
}

func measureRegistrations(ctx context.Context, b *lab.Bench, args worker.RegisterArgs) (Values, error) {
	w, err := b.Worker(ctx, args.Registrars)
	if err != nil {
		return nil, err
	}
	meter := process.Meter(b.Server())
	done, err := w.Register(ctx, args)
	if err != nil {
		return nil, err
	}
	cpu, err := meter()
	warm := args.Registrars * args.WarmUp
	return Values{
		"rate":   float64(done.Count) / done.Span.Ended.Sub(done.Span.Began).Seconds(),
		"server": milliseconds(cpu) / float64(done.Count+warm),
	}, err
}
