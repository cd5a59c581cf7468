package rows

import (
	"context"
	"fmt"
	"time"

	"fairlead.dev/bench/internal/lab"
)

// memory measures what a listening client costs the server.
func memory(clients int) Row {
	return Row{
		Name:       fmt.Sprintf("memory-%d", clients),
		Title:      fmt.Sprintf("Server memory a listening client, %d connections", clients),
		Method:     "Resident memory of the server process with the clients, each following one service of 20 instances, less that without them.",
		RoundsMost: 1,
		Figures:    []Figure{{Name: "client", Title: "a client", Unit: "MiB", Target: lower(0.1)}},
		Measure: func(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
			return measureMemory(ctx, b, pick(quick, 100, clients))
		},
	}
}

func measureMemory(ctx context.Context, b *lab.Bench, clients int) (Values, error) {
	keeper, err := b.Worker(ctx, 1)
	if err != nil {
		return nil, err
	}
	if err := keeper.Keep(ctx, instances(service, "host", flipInstances)); err != nil {
		return nil, err
	}
	if err := rest(ctx, settleFor); err != nil {
		return nil, err
	}
	before, err := b.Server().Usage()
	if err != nil {
		return nil, err
	}
	audience, err := b.Worker(ctx, clients)
	if err != nil {
		return nil, err
	}
	if err := audience.Follow(ctx, service, clients); err != nil {
		return nil, err
	}
	if err := rest(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	after, err := b.Server().Usage()
	if err != nil {
		return nil, err
	}
	return Values{"client": float64(after.Resident-before.Resident) / mebibyte / float64(clients)}, nil
}
