package fairlead

import (
	"context"
	"strings"

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
		if now != seen {
			l.tell(instances(seen), instances(now))
		}
		seen = now
	}
}

func instances(s *registry.Service) []registry.Instance {
	if s == nil {
		return nil
	}
	return s.Instances
}

// tell walks both lists, which are sorted by id, and reports the differences.
func (l *listener) tell(before, after []registry.Instance) {
	for len(before) > 0 || len(after) > 0 {
		switch order(before, after) {
		case -1:
			l.heard(l.key(before[0]), systems.Absent)
			before = before[1:]
		case 1:
			l.heard(l.key(after[0]), systems.StateOf(after[0].Enabled))
			after = after[1:]
		default:
			if before[0].Revision != after[0].Revision {
				l.heard(l.key(after[0]), systems.StateOf(after[0].Enabled))
			}
			before, after = before[1:], after[1:]
		}
	}
}

func order(before, after []registry.Instance) int {
	switch {
	case len(after) == 0:
		return -1
	case len(before) == 0:
		return 1
	}
	return strings.Compare(before[0].ID, after[0].ID)
}

func (l *listener) key(in registry.Instance) systems.Key {
	return systems.Key{Service: l.service, ID: in.ID}
}

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
