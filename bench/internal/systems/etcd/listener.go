package etcd

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"fairlead.dev/bench/internal/systems"
)

type listener struct {
	*systems.Table
	cancel context.CancelFunc
	done   chan struct{}
}

// Follow implements [systems.Conn]: everything as of a revision, then a watch
// from the next one. The client resumes the watch after a lost connection.
func (c *conn) Follow(ctx context.Context, service string, heard systems.Heard) (systems.Listener, error) {
	table := systems.NewTable(heard)
	got, err := c.client.Get(ctx, prefix(service), clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	for _, kv := range got.Kvs {
		if k, ok := keyOf(string(kv.Key)); ok {
			if err := table.Put(k, kv.Value); err != nil {
				return nil, err
			}
		}
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	changes := c.client.Watch(watching, prefix(service),
		clientv3.WithPrefix(), clientv3.WithRev(got.Header.Revision+1), clientv3.WithCreatedNotify())
	l := &listener{Table: table, cancel: cancel, done: make(chan struct{})}
	select {
	case created, ok := <-changes:
		if !ok || created.Err() != nil {
			cancel()
			return nil, errors.Join(errors.New("watch not created"), created.Err())
		}
		l.apply(created)
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
	go l.run(changes)
	return l, nil
}

func (l *listener) run(changes clientv3.WatchChan) {
	defer close(l.done)
	for some := range changes {
		l.apply(some)
	}
}

func (l *listener) apply(some clientv3.WatchResponse) {
	for _, e := range some.Events {
		k, ok := keyOf(string(e.Kv.Key))
		switch {
		case !ok:
		case e.Type == clientv3.EventTypeDelete:
			l.Remove(k)
		default:
			// Nobody but this program writes, and it writes JSON.
			_ = l.Put(k, e.Kv.Value)
		}
	}
}

// Close implements [systems.Listener].
func (l *listener) Close() {
	l.cancel()
	<-l.done
}
