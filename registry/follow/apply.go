package follow

import (
	"fairlead.dev/registry"
)

// A verdict is what to do with a change.
type verdict int

const (
	old  verdict = iota // known already, or part of the snapshot
	fits                // the next one
	gap                 // something before it was missed, or it makes no sense
)

// A holding is what is held of a service.
type holding struct {
	revision uint64
	empty    bool // it has no instances, and nothing is known of it
}

// follows tells whether nothing is missing between what is held and a change.
// More than what was told before it is held where the snapshot is as of a change
// that a later one of the same message makes up for. The registry
// forgets services of which nothing has been left for long, and then the first
// change has no predecessor; who holds nothing of it either has missed nothing.
func (h holding) follows(c *registry.Change) bool {
	if c.Previous == 0 {
		return h.empty
	}
	return c.Previous <= h.revision
}

// judge compares a change with what is held of its service, and with the
// revision of the last snapshot.
func judge(held holding, snapshot uint64, service string, c *registry.Change) verdict {
	switch {
	case c.Revision <= max(held.revision, snapshot):
		return old
	case !held.follows(c):
		return gap
	case c.Instance == nil && c.Condition == nil && c.Gone == "" && c.Meta == nil, c.Instance != nil && c.Instance.Service != service:
		return gap
	}
	return fits
}

// apply returns the table after a message's changes, and whether all of them
// were known or fitted. What comes after a gap is not applied.
func apply(t *registry.Table, snapshot uint64, c *registry.Changes) (*registry.Table, bool) {
	edit := t.Edit(c.Service)
	for i := range c.Changes {
		change := &c.Changes[i]
		switch judge(holding{edit.Revision(), edit.IsEmpty()}, snapshot, c.Service, change) {
		case gap:
			return edit.Table(), false
		case fits:
			if !edit.Apply(change) {
				return edit.Table(), false
			}
		}
	}
	return edit.Table(), true
}

func revisionOf(t *registry.Table, service string) uint64 {
	if s := t.Service(service); s != nil {
		return s.Revision
	}
	return 0
}

// merge returns the table after a snapshot of an interest. A service held at a
// later revision than the snapshot's was changed while the snapshot was under
// way, and is kept; with force nothing is.
func merge(t *registry.Table, in registry.Interest, s registry.Snapshot, force bool) *registry.Table {
	listed := make(map[string]bool, len(s.Services))
	keeps := func(name string) bool { return !force && revisionOf(t, name) > s.Revision.Sequence }
	var taken []registry.ServiceSnapshot
	for _, service := range s.Services {
		listed[service.Name] = true
		if covers(in, service.Name) && !keeps(service.Name) {
			taken = append(taken, service)
		}
	}
	t = t.WithServices(taken)
	for _, name := range heldBy(t, in) {
		if !listed[name] && !keeps(name) {
			t = t.WithoutService(name)
		}
	}
	return t
}

func covers(in registry.Interest, service string) bool {
	return in.Service == "" || in.Service == service
}

// heldBy returns the services of an interest that a table has.
func heldBy(t *registry.Table, in registry.Interest) []string {
	var names []string
	if in.Service != "" {
		if t.Service(in.Service) != nil {
			names = append(names, in.Service)
		}
		return names
	}
	for s := range t.Services() {
		names = append(names, s.Name)
	}
	return names
}

// missing returns the instances of an interest that before has and after lacks.
func missing(before, after *registry.Table, in registry.Interest) []registry.Instance {
	var gone []registry.Instance
	for _, name := range heldBy(before, in) {
		for instance := range before.Service(name).All() {
			if _, ok := after.Service(name).Instance(instance.ID); !ok {
				gone = append(gone, instance)
			}
		}
	}
	return gone
}
