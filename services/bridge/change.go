package bridge

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

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

// diffService merges two lists that are sorted by id.
func diffService(before, after *registry.Service) []change {
	changes := diffMeta(before, after)
	old, now := instances(before), instances(after)
	for len(old) > 0 || len(now) > 0 {
		switch order := compareFirst(old, now); {
		case order < 0:
			changes = append(changes, change{Service: after.Name, Gone: old[0].ID, sequence: after.Revision})
			old = old[1:]
		case order > 0:
			changes = append(changes, changeOf(now[0]))
			now = now[1:]
		default:
			// Cheaper than hashing: most of a service has not changed.
			if !reflect.DeepEqual(old[0], now[0]) {
				changes = append(changes, changeOf(now[0]))
			}
			old, now = old[1:], now[1:]
		}
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

func instances(s *registry.Service) []registry.Instance {
	if s == nil {
		return nil
	}
	return s.Instances()
}

func compareFirst(old, now []registry.Instance) int {
	switch {
	case len(old) == 0:
		return 1
	case len(now) == 0:
		return -1
	}
	return strings.Compare(old[0].ID, now[0].ID)
}

func changeOf(in registry.Instance) change {
	return change{Service: in.Service, Instance: &in, sequence: in.Revision}
}
