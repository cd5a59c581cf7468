package fairlead

import (
	"context"
	"sync"

	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/registrar"
)

type conn struct {
	bus    *bus.Conn
	client *atlasclient.Client

	mu   sync.Mutex
	kept []*registrar.Registrar
}

func keyOf(in systems.Instance) registry.Key {
	return registry.Key{Realm: systems.Realm, Service: in.Service, Instance: in.ID}
}

// registration has no health path: a probe connects, and finds the port
// refused once the process is dead.
func registration(in systems.Instance) registry.Registration {
	return registry.Registration{
		Host: "127.0.0.1", Port: in.Port, Version: "1.0.0", Zone: "a",
		Metadata: map[string]string{"git": "0123456789abcdef"},
	}
}

// Register implements [systems.Conn].
func (c *conn) Register(ctx context.Context, in systems.Instance) error {
	_, err := c.client.Register(ctx, keyOf(in), registration(in), registry.Life{})
	return err
}

// Keep implements [systems.Conn], with a registrar for each instance as every
// service has it.
func (c *conn) Keep(ctx context.Context, all []systems.Instance) error {
	for _, in := range all {
		if err := c.keep(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) keep(ctx context.Context, in systems.Instance) error {
	r, err := registrar.New(registrar.Options{
		Atlas: c.client, Beater: c.client, OnConnect: c.bus.OnConnect,
		Key: keyOf(in), Registration: registration(in),
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.kept = append(c.kept, r)
	c.mu.Unlock()
	r.Start()
	return r.Registered(ctx)
}

// Flip implements [systems.Conn].
func (c *conn) Flip(ctx context.Context, in systems.Instance, enabled bool) error {
	_, err := c.client.SetFlag(ctx, keyOf(in), &registry.Flag{Enabled: enabled, Owner: "bench"})
	return err
}

// Close implements [systems.Conn]. It deregisters nothing: the processes of a
// measurement end together.
func (c *conn) Close() { c.bus.NATS().Close() }
