package bridge

import (
	"cmp"
	"reflect"
	"slices"

	"fairlead.dev/registry"
)

// A change is one event of the stream of routes: an instance that is new or
// looks different, the id of one that left, or what is known of a service now.
type change struct {
	Revision registry.Revision  `json:"revision"`
	Service  string             `json:"service"`
	Instance *registry.Instance `json:"instance,omitempty"`
	Gone     string             `json:"gone,omitempty"`
	Meta     *registry.Meta     `json:"meta,omitempty"`

	sequence uint64
}

// diff returns what has to be told to somebody who holds before so that he
// holds after, the oldest first. Tables share the services that have not
// changed, so the cost is that of what did.
func diff(before, after *registry.Table) []change {
	var changes []change
	for s := range after.Services() {
		if old := before.Service(s.Name); old != s {
			changes = append(changes, diffService(old, s)...)
		}
	}
	for s := range before.Services() {
		if after.Service(s.Name) == nil {
			changes = append(changes, diffService(s, &registry.Service{Name: s.Name, Revision: after.Revision.Sequence})...)
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.sequence, b.sequence) })
	for i := range changes {
		changes[i].Revision = after.Revision
	}
	return changes
}

func diffService(before, after *registry.Service) []change {
	changes := diffMeta(before, after)
	for old, now := range after.Since(before) {
		if now == nil {
			changes = append(changes, change{Service: after.Name, Gone: old.ID, sequence: after.Revision})
			continue
		}
		changes = append(changes, changeOf(*now))
	}
	return changes
}

func diffMeta(before, after *registry.Service) []change {
	var old registry.Meta
	if before != nil {
		old = before.Meta
	}
	if reflect.DeepEqual(old, after.Meta) {
		return nil
	}
	return []change{{Service: after.Name, Meta: &after.Meta, sequence: after.MetaRevision}}
}

func changeOf(in registry.Instance) change {
	return change{Service: in.Service, Instance: &in, sequence: in.Revision}
}
