package follow

import (
	"slices"
	"time"

	"fairlead.dev/registry"
)

// A ghost is an instance that a new epoch's snapshot lacked. It may be alive
// and about to register again, so it stays as suspect for a while. It is laid
// over the truth and never part of it: digests speak of the truth.
type ghost struct {
	instance registry.Instance
	until    time.Time
}

type ghosts map[string]map[string]ghost

func (g ghosts) add(gone []registry.Instance, until time.Time) {
	for _, in := range gone {
		if in.Status != registry.Draining {
			in.Status = registry.Suspect
		}
		if g[in.Service] == nil {
			g[in.Service] = map[string]ghost{}
		}
		if _, there := g[in.Service][in.ID]; !there {
			g[in.Service][in.ID] = ghost{instance: in, until: until}
		}
	}
}

// settle drops the ghosts that a change speaks of: now it is known what
// became of them.
func (g ghosts) settle(c *registry.Changes) {
	if len(g[c.Service]) == 0 {
		return
	}
	for _, change := range c.Changes {
		id := change.Gone
		if change.Instance != nil {
			id = change.Instance.ID
		}
		g.drop(c.Service, id)
	}
}

// expire drops the ghosts whose time is over, and those that the truth has.
func (g ghosts) expire(truth *registry.Table, now time.Time) (dropped bool) {
	for service, ids := range g {
		for id, one := range ids {
			_, back := truth.Service(service).Instance(id)
			if back || !now.Before(one.until) {
				g.drop(service, id)
				dropped = true
			}
		}
	}
	return dropped
}

// haunts tells whether an interest has ghosts.
func (g ghosts) haunts(in registry.Interest) bool {
	if in.Service == "" {
		return len(g) > 0
	}
	return len(g[in.Service]) > 0
}

func (g ghosts) drop(service, id string) {
	delete(g[service], id)
	if len(g[service]) == 0 {
		delete(g, service)
	}
}

// over returns the truth with the ghosts in it.
func (g ghosts) over(truth *registry.Table) *registry.Table {
	t := truth
	for service, ids := range g {
		list := instancesOf(truth, service)
		for _, one := range ids {
			list = append(list, one.instance)
		}
		t = t.WithService(service, revisionOf(truth, service), list)
	}
	return t
}

func (g ghosts) next() time.Time {
	var next time.Time
	for _, ids := range g {
		for _, one := range ids {
			next = sooner(next, one.until)
		}
	}
	return next
}

// sooner returns the earlier time; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// instancesOf returns a copy that may be appended to.
func instancesOf(t *registry.Table, service string) []registry.Instance {
	if s := t.Service(service); s != nil {
		return slices.Clone(s.Instances())
	}
	return nil
}
