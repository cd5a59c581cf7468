package natskv

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bench/internal/systems"
)

type conn struct {
	nc *nats.Conn
	kv jetstream.KeyValue
}

// Register implements [systems.Conn]: a key that does not expire, which is the
// least work for the server. Renewing one that does would reach every watcher.
func (c *conn) Register(ctx context.Context, in systems.Instance) error {
	_, err := c.kv.Put(ctx, nameOf(in), systems.Value(in, true))
	return err
}

// Keep implements [systems.Conn].
func (c *conn) Keep(ctx context.Context, all []systems.Instance) error {
	for _, in := range all {
		if err := c.Register(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// Flip implements [systems.Conn].
func (c *conn) Flip(ctx context.Context, in systems.Instance, enabled bool) error {
	_, err := c.kv.Put(ctx, nameOf(in), systems.Value(in, enabled))
	return err
}

// Close implements [systems.Conn].
func (c *conn) Close() { c.nc.Close() }
