package natskv

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bench/internal/systems"
)

type conn struct {
	nc    *nats.Conn
	kv    jetstream.KeyValue
	lease time.Duration
	quit  chan struct{}
	beats sync.WaitGroup
	once  sync.Once
}

// Register implements [systems.Conn]: a key that does not expire, which is the
// least work for the server.
func (c *conn) Register(ctx context.Context, in systems.Instance) error {
	_, err := c.kv.Put(ctx, nameOf(in), systems.Value(in, true))
	return err
}

// Keep implements [systems.Conn]. Keys expire only if a row asks for it.
func (c *conn) Keep(ctx context.Context, all []systems.Instance) error {
	for _, in := range all {
		if err := c.keep(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) keep(ctx context.Context, in systems.Instance) error {
	if c.lease == 0 {
		return c.Register(ctx, in)
	}
	if err := c.renew(ctx, in); err != nil {
		return err
	}
	c.beats.Go(func() { c.beat(in) })
	return nil
}

// beat renews a key three times in its life.
func (c *conn) beat(in systems.Instance) {
	ticker := time.NewTicker(c.lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.lease)
		_ = c.renew(ctx, in) // the next one may succeed
		cancel()
	}
}

// renew stores a key that expires. The client has no put with a time to live,
// the server has.
func (c *conn) renew(ctx context.Context, in systems.Instance) error {
	msg := nats.NewMsg("$KV." + bucket + "." + nameOf(in))
	msg.Data = systems.Value(in, true)
	msg.Header.Set(jetstream.MsgTTLHeader, c.lease.String())
	_, err := c.nc.RequestMsgWithContext(ctx, msg)
	return err
}

// Flip implements [systems.Conn].
func (c *conn) Flip(ctx context.Context, in systems.Instance, enabled bool) error {
	_, err := c.kv.Put(ctx, nameOf(in), systems.Value(in, enabled))
	return err
}

// Close implements [systems.Conn].
func (c *conn) Close() {
	c.once.Do(func() { close(c.quit) })
	c.beats.Wait()
	c.nc.Close()
}
