package fairlead

import (
	"context"

	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
)

// A listener is a table that follows, and a goroutine that waits for newer
// ones as a sidecar does. The wait is part of what is measured.
type listener struct {
	table   *follow.Follower
	service string
	heard   systems.Heard
	quit    chan struct{}
	done    chan struct{}
}

// Follow implements [systems.Conn].
func (c *conn) Follow(ctx context.Context, service string, heard systems.Heard) (systems.Listener, error) {
	opts := follow.Options{Source: c.client, Realm: systems.Realm, WholeRealm: service == ""}
	if service != "" {
		opts.Services = []string{service}
	}
	l := &listener{table: follow.New(opts), service: service, heard: heard, quit: make(chan struct{}), done: make(chan struct{})}
	l.table.Start()
	if err := l.table.Ready(ctx); err != nil {
		l.table.Close()
		return nil, err
	}
	if heard == nil {
		close(l.done)
		return l, nil
	}
	seen, changed := l.table.Table()
	go l.watch(seen.Service(service), changed)
	return l, nil
}

func (l *listener) watch(seen *registry.Service, changed <-chan struct{}) {
	defer close(l.done)
	for {
		select {
		case <-l.quit:
			return
		case <-changed:
		}
		var table *registry.Table
		table, changed = l.table.Table()
		now := table.Service(l.service)
		l.tell(now, seen)
		seen = now
	}
}

// tell reports how a service differs from what was seen.
func (l *listener) tell(now, seen *registry.Service) {
	for before, after := range now.Since(seen) {
		if after == nil {
			l.heard(l.key(before.ID), systems.Absent)
			continue
		}
		l.heard(l.key(after.ID), systems.StateOf(after.Enabled))
	}
}

func (l *listener) key(id string) systems.Key { return systems.Key{Service: l.service, ID: id} }

// State implements [systems.Listener].
func (l *listener) State(k systems.Key) systems.State {
	table, _ := l.table.Table()
	in, found := table.Service(k.Service).Instance(k.ID)
	if !found {
		return systems.Absent
	}
	return systems.StateOf(in.Enabled)
}

// Len implements [systems.Listener].
func (l *listener) Len() int {
	table, _ := l.table.Table()
	return table.Len()
}

// Close implements [systems.Listener].
func (l *listener) Close() {
	l.table.Close()
	if l.heard != nil {
		close(l.quit)
	}
	<-l.done
}
