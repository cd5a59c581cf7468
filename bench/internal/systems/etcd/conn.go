package etcd

import (
	"context"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"fairlead.dev/bench/internal/systems"
)

const (
	// defaultLease is how long a lease lasts where a row does not say.
	defaultLease = time.Minute
	// transactionMost is how many operations etcd takes in one, by default.
	transactionMost = 128
)

// A conn has one lease for all that it registers, as a program would.
type conn struct {
	client *clientv3.Client
	ttl    time.Duration

	mu    sync.Mutex
	lease clientv3.LeaseID
}

func newConn(client *clientv3.Client, terms systems.Terms) *conn {
	ttl := terms.Lease
	if ttl == 0 {
		ttl = defaultLease
	}
	return &conn{client: client, ttl: ttl}
}

// leased returns the connection's lease; the first call grants it and begins
// to keep it alive.
func (c *conn) leased(ctx context.Context) (clientv3.OpOption, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lease != clientv3.NoLease {
		return clientv3.WithLease(c.lease), nil
	}
	granted, err := c.client.Grant(ctx, int64(c.ttl/time.Second))
	if err != nil {
		return nil, err
	}
	alive, err := c.client.KeepAlive(context.WithoutCancel(ctx), granted.ID)
	if err != nil {
		return nil, err
	}
	go func() {
		for range alive { //nolint:revive // answers have to be taken
		}
	}()
	c.lease = granted.ID
	return clientv3.WithLease(c.lease), nil
}

// Register implements [systems.Conn].
func (c *conn) Register(ctx context.Context, in systems.Instance) error {
	lease, err := c.leased(ctx)
	if err != nil {
		return err
	}
	_, err = c.client.Put(ctx, pathOf(in), string(systems.Value(in, true)), lease)
	return err
}

// Keep implements [systems.Conn], many in a transaction.
func (c *conn) Keep(ctx context.Context, all []systems.Instance) error {
	lease, err := c.leased(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(all, transactionMost) {
		var ops []clientv3.Op
		for _, in := range some {
			ops = append(ops, clientv3.OpPut(pathOf(in), string(systems.Value(in, true)), lease))
		}
		if _, err := c.client.Txn(ctx).Then(ops...).Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Flip implements [systems.Conn].
func (c *conn) Flip(ctx context.Context, in systems.Instance, enabled bool) error {
	_, err := c.client.Put(ctx, pathOf(in), string(systems.Value(in, enabled)), clientv3.WithIgnoreLease())
	return err
}

// Close implements [systems.Conn].
func (c *conn) Close() { _ = c.client.Close() }
