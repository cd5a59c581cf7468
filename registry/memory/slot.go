package memory

import (
	"time"

	"fairlead.dev/registry"
)

// A slot is everything held under one key. Overrides may be there without a
// registration.
type slot struct {
	record     registry.Record
	registered bool
	token      string
	seen       time.Time
	view       *registry.Instance

	lease *time.Timer
	until *time.Timer
}

func (s *slot) stopTimers() {
	for _, t := range []*time.Timer{s.lease, s.until} {
		if t != nil {
			t.Stop()
		}
	}
}

func (s *slot) leaseHolds(ttl time.Duration) bool {
	return s.registered && time.Since(s.seen) < ttl
}

// holds tells whether a message of this incarnation and token is of the
// current life.
func (s *slot) holds(incarnation, token string) bool {
	return s.record.Incarnation == incarnation && s.token == token
}

func (r *Registry) slot(k registry.Key) *slot {
	s := r.slots[k]
	if s == nil {
		s = &slot{record: registry.Record{Key: k}}
		r.slots[k] = s
	}
	return s
}

// write counts one write, folds the slot again and publishes what routing is
// to hear of it. A slot that holds nothing any more stays: keys are few here.
func (r *Registry) write(s *slot) registry.Revision {
	r.sequence++
	r.fold(s)
	return r.revision()
}

func (r *Registry) fold(s *slot) {
	before, after := s.view, r.viewOf(s)
	if same(before, after) {
		return
	}
	s.view = after
	k := s.record.Key
	table := r.table(k.Realm)
	change := registry.Change{Revision: r.sequence, Previous: revisionOf(table.Service(k.Service)), Instance: after}
	if after == nil {
		change.Gone = k.Instance
		r.tables[k.Realm] = table.WithoutInstance(k.Service, k.Instance, r.sequence)
	} else {
		r.tables[k.Realm] = table.WithInstance(*after)
	}
	r.publish(k.ServiceKey(), change)
}

func (r *Registry) viewOf(s *slot) *registry.Instance {
	if !s.registered {
		return nil
	}
	view := s.record.View(time.Now())
	view.Revision = r.sequence
	return &view
}

// same compares all but the revision, as digests do.
func same(a, b *registry.Instance) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Hash() == b.Hash()
}

func revisionOf(s *registry.Service) uint64 {
	if s == nil {
		return 0
	}
	return s.Revision
}
