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

func (l *listener) watch(first *registry.Service, changed <-chan struct{}) {
	defer close(l.done)
	last, seen := first, revisions(first)
	for {
		select {
		case <-l.quit:
			return
		case <-changed:
		}
		var table *registry.Table
		table, changed = l.table.Table()
		if now := table.Service(l.service); now != last {
			l.tell(seen, now)
			last = now
		}
	}
}

func revisions(s *registry.Service) map[string]uint64 {
	seen := make(map[string]uint64, s.Len())
	for in := range s.All() {
		seen[in.ID] = in.Revision
	}
	return seen
}

// tell reports how a service differs from what was seen, and notes it as seen.
func (l *listener) tell(seen map[string]uint64, now *registry.Service) {
	for in := range now.All() {
		if seen[in.ID] != in.Revision {
			seen[in.ID] = in.Revision
			l.heard(l.key(in.ID), systems.StateOf(in.Enabled))
		}
	}
	if len(seen) == now.Len() {
		return
	}
	for id := range seen {
		if _, listed := now.Instance(id); !listed {
			delete(seen, id)
			l.heard(l.key(id), systems.Absent)
		}
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
