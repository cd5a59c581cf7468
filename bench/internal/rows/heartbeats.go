package rows

import (
	"context"
	"time"

	"fairlead.dev/bench/internal/lab"
)

const mebibyte = 1 << 20

// heartbeats measures what the product's heartbeats cost its server. Peers
// keep sessions or leases, not instances, alive: there is nothing to compare.
func heartbeats() Row {
	return Row{
		Name:  "heartbeats",
		Title: "Heartbeats of 100,000 instances, every 2 s, over 1,000 connections",
		Method: "100,000 registrars, each with the heartbeats that a service sends (every fifth a request); processor time and largest resident " +
			"memory of the server process over 20 s.",
		RoundsMost: 1,
		Only:       []string{"fairlead"},
		Figures: []Figure{
			{Name: "cpu", Title: "processor", Unit: "cores", Target: lower(1)},
			{Name: "memory", Title: "resident memory", Unit: "MiB", Target: lower(300)},
		},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			w, err := b.Worker(ctx, pick(quick, 100, 1000))
			if err != nil {
				return nil, err
			}
			if err := w.Keep(ctx, realm(tableServices, pick(quick, 1000, 100_000))); err != nil {
				return nil, err
			}
			if err := rest(ctx, pick(quick, time.Second, 6*time.Second)); err != nil {
				return nil, err
			}
			return sample(ctx, b, pick(quick, 2, 20))
		},
	}
}

// sample watches the server for some seconds.
func sample(ctx context.Context, b *lab.Bench, seconds int) (Values, error) {
	before, err := b.Server().Usage()
	if err != nil {
		return nil, err
	}
	began, last, most := time.Now(), before, before.Resident
	for range seconds {
		if err := rest(ctx, time.Second); err != nil {
			return nil, err
		}
		if last, err = b.Server().Usage(); err != nil {
			return nil, err
		}
		most = max(most, last.Resident)
	}
	return Values{
		"cpu":    (last.CPU - before.CPU).Seconds() / time.Since(began).Seconds(),
		"memory": float64(most) / mebibyte,
	}, nil
}
