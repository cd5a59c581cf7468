package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"fairlead.dev/registry"
)

var _ registry.Explainer = (*Registry)(nil)

// Facts implements [registry.Explainer].
func (r *Registry) Facts(ctx context.Context, k registry.ServiceKey) (registry.ServiceFacts, error) {
	if err := k.Validate(); err != nil {
		return registry.ServiceFacts{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.ServiceFacts{}, err
	}
	facts := registry.ServiceFacts{Revision: r.revision(), Instances: []registry.Facts{}}
	for key, s := range r.slots {
		if f, any := r.factsOf(s); any && key.ServiceKey() == k {
			facts.Instances = append(facts.Instances, f)
		}
	}
	slices.SortFunc(facts.Instances, func(a, b registry.Facts) int { return strings.Compare(a.Instance, b.Instance) })
	return facts, nil
}

// factsOf tells of a slot, unless it holds nothing any more.
func (r *Registry) factsOf(s *slot) (f registry.Facts, any bool) {
	f = registry.Facts{
		Instance: s.record.Key.Instance, Registered: s.registered,
		Flag: s.record.Flag, Weight: s.record.Weight, Drain: s.record.Drain,
	}
	if s.registered {
		age := time.Since(s.seen)
		f.Reported, f.HeartbeatAgeMS, f.LeaseLeftMS = s.record.Status, age.Milliseconds(), (r.ttl - age).Milliseconds()
	}
	return f, s.registered || f.Flag != nil || f.Weight != nil || f.Drain != nil
}
