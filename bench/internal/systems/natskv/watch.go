package natskv

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bench/internal/systems"
)

type listener struct {
	*systems.Table
	watcher jetstream.KeyWatcher
	done    chan struct{}
}

var errEnded = errors.New("watch ended before the table was complete")

// Follow implements [systems.Conn] with a watcher of its own.
func (c *conn) Follow(ctx context.Context, service string, heard systems.Heard) (systems.Listener, error) {
	watcher, err := c.kv.Watch(context.WithoutCancel(ctx), pattern(service))
	if err != nil {
		return nil, err
	}
	l := &listener{Table: systems.NewTable(heard), watcher: watcher, done: make(chan struct{})}
	if err := l.fill(ctx); err != nil {
		_ = watcher.Stop()
		return nil, err
	}
	go l.run()
	return l, nil
}

// fill applies what is there already; the watcher marks its end by nil.
func (l *listener) fill(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case entry, open := <-l.watcher.Updates():
			switch {
			case !open:
				return errEnded
			case entry == nil:
				return nil
			}
			l.apply(entry)
		}
	}
}

func (l *listener) run() {
	defer close(l.done)
	for entry := range l.watcher.Updates() {
		if entry != nil {
			l.apply(entry)
		}
	}
}

func (l *listener) apply(entry jetstream.KeyValueEntry) {
	k, ok := keyOf(entry.Key())
	switch {
	case !ok:
	case entry.Operation() != jetstream.KeyValuePut:
		l.Remove(k)
	default:
		// Nobody but this program writes, and it writes JSON.
		_ = l.Put(k, entry.Value())
	}
}

// Close implements [systems.Listener].
func (l *listener) Close() {
	_ = l.watcher.Stop()
	<-l.done
}
