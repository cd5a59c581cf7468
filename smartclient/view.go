package smartclient

import (
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// A view is one [registry.Service] made ready for picking. It is immutable but
// for the loads it refers to and the group that picking begins with.
//
// Its groups widen: the client's zone, the candidates (the best tier), the pool
// (all that work or may work), and last all that an operator allows, critical
// ones too. Each has what the one before has; equal ones are left out.
type view struct {
	of      *registry.Service
	terms   terms
	members []endpoint // every instance, sorted by id; without shares
	groups  []group

	zone             int // the size of the zone's group, 0 if the zone has none
	candidates, pool int // places of those groups
	widened          atomic.Int32
	panicking        atomic.Bool
}

// life names one life of an instance: a restarted one starts with a clean slate.
type life struct{ id, incarnation string }

// An endpoint is one instance as a place to send requests to. It is small, so
// that picking among many touches few cache lines.
type endpoint struct {
	load *load
	// share is the mean weight of its group, over its own.
	share    float32
	instance *registry.Instance
	addr     string
}

// life tells an instance from its namesakes, whatever view it was found in: one
// that left the table and came back within a request was tried all the same.
func (e *endpoint) life() life { return life{e.instance.ID, e.instance.Incarnation} }

// newView prepares a service. Loads of lives that go on are taken over from
// the view before, nil if there was none; the rest is dropped with it.
func newView(s *registry.Service, o Options, before *view, now time.Duration) (*view, error) {
	candidate, err := s.Candidate()
	if err != nil {
		return nil, err
	}
	v := &view{of: s, terms: termsOf(o, s.Meta.Policy), members: carryOver(s, before, now)}
	if o.Zone != "" {
		near := func(in *registry.Instance) bool { return in.Zone == o.Zone && candidate(in) }
		v.zone = v.count(near)
		v.widen(near)
	}
	v.candidates = v.widen(candidate)
	v.pool = v.candidates
	if v.count(working) >= v.count(candidate) { // else all are critical
		v.pool = v.widen(working)
	}
	v.widen((*registry.Instance).Usable)
	v.assess()
	return v, nil
}

// working is what is used in a panic: all but those that say themselves that
// they are critical. A suspect is only in doubt.
func working(in *registry.Instance) bool { return in.Usable() && in.Status != registry.Critical }

// carryOver makes the members of a view and keeps what the one before knew of
// them. Both are in order, so they are compared side by side: services may be
// large, and a view is made anew with each of their changes.
func carryOver(s *registry.Service, before *view, now time.Duration) []endpoint {
	members := make([]endpoint, 0, s.Len())
	var old []endpoint
	if before != nil {
		old = before.members
	}
	for in := range s.Each() {
		for len(old) > 0 && old[0].instance.ID < in.ID {
			old = old[1:]
		}
		e := endpoint{instance: in}
		if len(old) > 0 && old[0].instance.ID == in.ID {
			e = old[0].as(in)
		}
		members = append(members, e.complete(before == nil, now))
	}
	return members
}

// as is what is known of an endpoint as of the next view of its instance.
func (e endpoint) as(in *registry.Instance) endpoint {
	is, was := in, e.instance
	e.instance = is
	if is.Host != was.Host || is.Port != was.Port {
		e.addr = ""
	}
	if is.Incarnation != was.Incarnation {
		e.load = nil
	}
	return e
}

// complete adds what is not known yet. A life that begins while the client
// looks on starts slowly; on the client's own first look all are equally new
// to it.
func (e endpoint) complete(first bool, now time.Duration) endpoint {
	if e.addr == "" {
		e.addr = e.instance.Addr()
	}
	if e.load == nil {
		e.load = new(load)
		if !first {
			e.load.ramp = now + slowStart
		}
	}
	return e
}

// count tells how many members there are of a kind.
func (v *view) count(kind func(*registry.Instance) bool) (n int) {
	for i := range v.members {
		if kind(v.members[i].instance) {
			n++
		}
	}
	return n
}

// widen adds the group of a kind unless it has no more than the one before, and
// returns the place of the group that has these members.
func (v *view) widen(kind func(*registry.Instance) bool) int {
	n, last := v.count(kind), len(v.groups)-1
	if n == 0 || last >= 0 && len(v.groups[last].endpoints) == n {
		return max(last, 0)
	}
	endpoints := make([]endpoint, 0, n)
	for _, e := range v.members {
		if kind(e.instance) {
			endpoints = append(endpoints, e)
		}
	}
	v.groups = append(v.groups, newGroup(endpoints))
	return last + 1
}

// all is the widest group.
func (v *view) all() []endpoint { return v.groups[len(v.groups)-1].endpoints }

// size is the number of instances of which a share may be ejected.
func (v *view) size() int { return len(v.groups[v.pool].endpoints) }

// away counts the ejected endpoints.
func (v *view) away() int {
	n := 0
	for i := range v.all() {
		if v.all()[i].load.ejected.away() {
			n++
		}
	}
	return n
}

// hasOther tells whether there is an endpoint that was not tried.
func (v *view) hasOther(tried []life) bool {
	for i := range v.all() {
		if !wasTried(&v.all()[i], tried) {
			return true
		}
	}
	return false
}
