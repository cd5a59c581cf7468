package zookeeper

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"

	"fairlead.dev/bench/internal/systems"
)

// multiMost is how many nodes are made in one transaction, well below the
// server's limit of a megabyte.
const multiMost = 500

type conn struct {
	zk    *zk.Conn
	known sync.Map // paths of services that exist

	mu        sync.Mutex
	listeners map[*listener]struct{}
	expired   bool
}

func servicePath(service string) string { return root + "/" + service }

func pathOf(in systems.Instance) string { return servicePath(in.Service) + "/" + in.ID }

// keyOf returns the instance of a path; ok is false for others.
func keyOf(p string) (k systems.Key, ok bool) {
	above, id := path.Split(p)
	service := path.Base(above)
	return systems.Key{Service: service, ID: id}, path.Dir(path.Clean(above)) == root
}

// ensure makes a node that lasts.
func (c *conn) ensure(ctx context.Context, node string) error {
	if _, found := c.known.Load(node); found {
		return nil
	}
	err := await(ctx, func() error {
		_, err := c.zk.Create(node, nil, zk.FlagPersistent, zk.WorldACL(zk.PermAll))
		return err
	})
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	c.known.Store(node, true)
	return nil
}

// Register implements [systems.Conn].
func (c *conn) Register(ctx context.Context, in systems.Instance) error {
	if err := c.ensure(ctx, servicePath(in.Service)); err != nil {
		return err
	}
	return await(ctx, func() error {
		_, err := c.zk.Create(pathOf(in), systems.Value(in, true), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		return err
	})
}

// Keep implements [systems.Conn], many in a transaction. The session keeps
// them.
func (c *conn) Keep(ctx context.Context, all []systems.Instance) error {
	for some := range slices.Chunk(all, multiMost) {
		var ops []any
		for _, in := range some {
			if err := c.ensure(ctx, servicePath(in.Service)); err != nil {
				return err
			}
			ops = append(ops, &zk.CreateRequest{
				Path: pathOf(in), Data: systems.Value(in, true), Flags: zk.FlagEphemeral, Acl: zk.WorldACL(zk.PermAll),
			})
		}
		if err := await(ctx, func() error { _, err := c.zk.Multi(ops...); return err }); err != nil {
			return err
		}
	}
	return nil
}

// Flip implements [systems.Conn].
func (c *conn) Flip(ctx context.Context, in systems.Instance, enabled bool) error {
	return await(ctx, func() error {
		_, err := c.zk.Set(pathOf(in), systems.Value(in, enabled), -1)
		return err
	})
}

// Close implements [systems.Conn].
func (c *conn) Close() { c.zk.Close() }

// dispatch passes the connection's events on. It must not block.
func (c *conn) dispatch(e zk.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Type == zk.EventSession && e.State == zk.StateExpired:
		c.expired = true
		return
	case e.Type == zk.EventSession && e.State == zk.StateHasSession && c.expired:
		c.expired = false // watches went with the session: look at everything again
	case e.Type == zk.EventSession || e.Type == zk.EventNotWatching:
		return
	}
	for l := range c.listeners {
		l.queue.put(e)
	}
}

func (c *conn) add(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[l] = struct{}{}
}

func (c *conn) remove(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.listeners, l)
}
