package smartclient

import (
	"fairlead.dev/registry"
)

// A view is one [registry.Service] made ready for picking. It is immutable but
// for the loads it refers to.
type view struct {
	of     *registry.Service
	terms  terms
	groups []group
	loads  map[life]*load
	count  int // of endpoints in the groups
}

// life names one life of an instance: a restarted one starts with a clean slate.
type life struct{ id, incarnation string }

// An endpoint is one instance as a place to send requests to.
type endpoint struct {
	instance registry.Instance
	addr     string
	// share is the mean weight of its group, over its own.
	share float32
	load  *load
}

// life tells an instance from its namesakes, whatever view it was found in: one
// that left the table and came back within a request was tried all the same.
func (e *endpoint) life() life { return life{e.instance.ID, e.instance.Incarnation} }

// newView prepares a service. Loads of lives that go on are taken over from
// the view before; the rest is dropped with it.
func newView(s *registry.Service, o Options, before map[life]*load) (*view, error) {
	candidates, err := s.Candidates()
	if err != nil {
		return nil, err
	}
	instances := s.Instances()
	v := &view{of: s, terms: termsOf(o, s.Meta.Policy), loads: carryOver(instances, before)}
	near, far := split(candidates, func(in registry.Instance) bool { return o.Zone != "" && in.Zone == o.Zone })
	v.add(near)
	v.add(far)
	v.add(lesser(instances, candidates))
	return v, nil
}

// lesser returns the usable instances that are not among the candidates:
// nothing for a first attempt, but better than giving up after a failed one.
// Both lists are in the same order.
func lesser(all, candidates []registry.Instance) []registry.Instance {
	var list []registry.Instance
	for _, in := range all {
		if len(candidates) > 0 && candidates[0].ID == in.ID {
			candidates = candidates[1:]
			continue
		}
		if in.Usable() {
			list = append(list, in)
		}
	}
	return list
}

func split(list []registry.Instance, first func(registry.Instance) bool) (yes, no []registry.Instance) {
	for _, in := range list {
		if first(in) {
			yes = append(yes, in)
		} else {
			no = append(no, in)
		}
	}
	return yes, no
}

func carryOver(instances []registry.Instance, before map[life]*load) map[life]*load {
	loads := make(map[life]*load, len(instances))
	for _, in := range instances {
		l := life{in.ID, in.Incarnation}
		if loads[l] = before[l]; loads[l] == nil {
			loads[l] = new(load)
		}
	}
	return loads
}

func (v *view) add(instances []registry.Instance) {
	if len(instances) == 0 {
		return
	}
	endpoints := make([]endpoint, len(instances))
	for i, in := range instances {
		endpoints[i] = endpoint{instance: in, addr: in.Addr(), load: v.loads[life{in.ID, in.Incarnation}]}
	}
	v.groups = append(v.groups, newGroup(endpoints))
	v.count += len(endpoints)
}

// away counts the ejected endpoints.
func (v *view) away() int {
	n := 0
	for g := range v.groups {
		for i := range v.groups[g].endpoints {
			if v.groups[g].endpoints[i].load.ejected.away() {
				n++
			}
		}
	}
	return n
}

// hasOther tells whether there is an endpoint that was not tried.
func (v *view) hasOther(tried []life) bool {
	for g := range v.groups {
		for i := range v.groups[g].endpoints {
			if !wasTried(&v.groups[g].endpoints[i], tried) {
				return true
			}
		}
	}
	return false
}
