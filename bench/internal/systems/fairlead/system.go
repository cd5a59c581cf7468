// Package fairlead drives the product: the real server program, and the
// clients that services and smart clients are made of.
package fairlead

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"

	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bus"
	"fairlead.dev/registry/atlasclient"
)

// A System is the product.
type System struct {
	// Binary is the path of the program `fairlead`.
	Binary string
}

// Name implements [systems.System].
func (System) Name() string { return "fairlead" }

// Peer implements [systems.System].
func (System) Peer() bool { return false }

// Server implements [systems.System]: `fairlead server` on its defaults.
func (s System) Server(p systems.Place) systems.Command {
	return systems.Command{Path: s.Binary, Args: []string{
		"server", "--data", filepath.Join(p.Dir, "data"), "--nats-addr", p.Address(), "--http-addr", "127.0.0.1:0",
	}}
}

// Prepare implements [systems.System]. There is nothing to make.
func (s System) Prepare(ctx context.Context, p systems.Place) error {
	conn, err := dial(ctx, p)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.client.Status(ctx, systems.Realm)
	return err
}

// Version implements [systems.System].
func (s System) Version(ctx context.Context, _ systems.Place) (string, error) {
	out, err := exec.CommandContext(ctx, s.Binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("fairlead version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Dial implements [systems.System]. The lease's terms are the registry's.
func (System) Dial(ctx context.Context, p systems.Place, _ systems.Terms) (systems.Conn, error) {
	return dial(ctx, p)
}

func dial(ctx context.Context, p systems.Place) (*conn, error) {
	b, err := bus.Connect(ctx, bus.Options{URL: "nats://" + p.Address(), Name: "bench", Logger: slog.Default()})
	if err != nil {
		return nil, err
	}
	if err := b.WaitConnected(ctx); err != nil {
		b.NATS().Close()
		return nil, err
	}
	return &conn{bus: b, client: atlasclient.New(b, atlasclient.Options{})}, nil
}
