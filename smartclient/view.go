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
	of     *registry.Service
	terms  terms
	groups []group
	loads  map[life]*load

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
	candidates, err := s.Candidates()
	if err != nil {
		return nil, err
	}
	instances := s.Instances()
	v := &view{of: s, terms: termsOf(o, s.Meta.Policy), loads: carryOver(instances, before, now)}
	near := filter(candidates, func(in *registry.Instance) bool { return o.Zone != "" && in.Zone == o.Zone })
	v.zone = len(near)
	v.widen(near)
	v.candidates = v.widen(candidates)
	v.pool = v.widen(poolOf(instances, len(candidates)))
	v.widen(filter(instances, func(in *registry.Instance) bool { return in.Usable() }))
	v.assess()
	return v, nil
}

// poolOf returns what is used in a panic: all but those that say themselves
// that they are critical. A suspect is only in doubt.
func poolOf(instances []registry.Instance, candidates int) []registry.Instance {
	pool := filter(instances, func(in *registry.Instance) bool { return in.Usable() && in.Status != registry.Critical })
	if len(pool) < candidates { // all are critical
		return nil
	}
	return pool
}

func filter(list []registry.Instance, keep func(*registry.Instance) bool) []registry.Instance {
	var kept []registry.Instance
	for i := range list {
		if keep(&list[i]) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// carryOver keeps what is known of lives that go on. A life that begins while
// the client looks on starts slowly; on the client's own first look all are
// equally new to it.
func carryOver(instances []registry.Instance, before *view, now time.Duration) map[life]*load {
	loads := make(map[life]*load, len(instances))
	for _, in := range instances {
		l := life{in.ID, in.Incarnation}
		switch {
		case before == nil:
			loads[l] = new(load)
		case before.loads[l] != nil:
			loads[l] = before.loads[l]
		default:
			loads[l] = &load{ramp: now + slowStart}
		}
	}
	return loads
}

// widen adds a group unless it has no more than the one before, and returns
// the place of the group that has these instances.
func (v *view) widen(instances []registry.Instance) int {
	last := len(v.groups) - 1
	if len(instances) == 0 || last >= 0 && len(v.groups[last].endpoints) == len(instances) {
		return max(last, 0)
	}
	endpoints := make([]endpoint, len(instances))
	for i := range instances {
		in := &instances[i]
		endpoints[i] = endpoint{instance: in, addr: in.Addr(), load: v.loads[life{in.ID, in.Incarnation}]}
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
