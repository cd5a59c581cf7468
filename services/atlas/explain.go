package atlas

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/registry"
)

// factsMost keeps an answer below the bus's payload limit of 1 MiB: an
// instance's facts rarely have more than 500 bytes.
const factsMost = 1000

// explain answers what only Atlas knows of a service's instances.
func (n *Node) explain(ctx context.Context, m micro.Request) (registry.ServiceFacts, error) {
	if _, err := n.requesterOf(m); err != nil {
		return registry.ServiceFacts{}, err
	}
	k, err := serviceIn(m.Subject())
	if err != nil {
		return registry.ServiceFacts{}, err
	}
	return answerOf(ctx, n, func(s *state) registry.ServiceFacts { return s.facts(k, time.Now()) })
}

// facts looks at every slot, as overrides without an instance are in no table:
// milliseconds among 100,000, for a question that people ask.
func (s *state) facts(k registry.ServiceKey, now time.Time) registry.ServiceFacts {
	facts := registry.ServiceFacts{
		Revision: registry.Revision{Epoch: s.model.epoch, Sequence: s.model.seq},
		Settling: s.node.moment(now) < s.grace, Instances: []registry.Facts{},
	}
	for key, slot := range s.model.slots {
		if key.ServiceKey() == k && slot.holdsAny() {
			facts.Instances = append(facts.Instances, s.factsOf(key, slot, now))
		}
	}
	slices.SortFunc(facts.Instances, func(a, b registry.Facts) int { return strings.Compare(a.Instance, b.Instance) })
	if over := len(facts.Instances) - factsMost; over > 0 {
		facts.Omitted, facts.Instances = over, facts.Instances[:factsMost]
	}
	return facts
}

// holdsAny tells whether anything is left in a slot.
func (s *slot) holdsAny() bool {
	return s.record != nil || s.flag != nil || s.weight != nil || s.drain != nil
}

func (s *state) factsOf(k registry.Key, slot *slot, now time.Time) registry.Facts {
	f := registry.Facts{
		Instance: k.Instance, Registered: slot.record != nil,
		Flag: slot.flag, Weight: slot.weight, Drain: slot.drain,
	}
	if r := slot.record; r != nil {
		f.RegisteredBy, f.Via, f.Reported = r.Atlas.RegisteredBy, r.Atlas.Via, r.Atlas.Status
		f.SuspectSince, f.Cause = r.Atlas.SuspectSince, r.Atlas.Cause
	}
	if l := s.leases.of[k]; l != nil && f.Registered {
		age := s.node.moment(now).since(l.seen())
		f.Held = s.losses.holding(l)
		f.HeartbeatAgeMS, f.LeaseLeftMS = age.Milliseconds(), (s.node.opts.Terms.TTL - age).Milliseconds()
	}
	return f
}
