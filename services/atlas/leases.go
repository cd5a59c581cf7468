package atlas

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead.dev/registry"
)

// adoptLeases gives every listed instance a full lease: a node that starts has
// not heard what they said meanwhile.
func (s *state) adoptLeases(now moment) {
	for k, slot := range s.model.slots {
		if slot.record != nil {
			s.startLease(k, slot.record, now)
		}
	}
	s.adoptExpiries()
}

// adoptExpiries takes over which flags of the model end by themselves.
func (s *state) adoptExpiries() {
	clear(s.expiring)
	for k, slot := range s.model.slots {
		if slot.flag != nil && !slot.flag.Until.IsZero() {
			s.expiring[k] = slot.flag.Until
		}
	}
}

// keepLease follows the registration that an entry made, changed or ended.
func (s *state) keepLease(t transition, now moment) {
	if t.aspect != aspectRecord || isOwn(t.entry.key) || t.problem != "" {
		return
	}
	r, l := t.recordAfter, s.leases.of[t.key]
	switch {
	case r == nil && l != nil:
		s.endLease(l)
	case r == nil:
	case l == nil || l.record.Load().Atlas.Incarnation != r.Atlas.Incarnation || registeredAnew(t):
		s.startLease(t.key, r, now)
	default:
		l.record.Store(r)
	}
}

func registeredAnew(t transition) bool {
	return t.recordBefore == nil || !t.recordBefore.Atlas.RegisteredAt.Equal(t.recordAfter.Atlas.RegisteredAt)
}

func (s *state) startLease(k registry.Key, r *record, now moment) {
	if old := s.leases.of[k]; old != nil {
		s.conns.remove(old)
	}
	l := &lease{key: k, alive: now}
	l.record.Store(r)
	l.heard.Store(int64(now))
	s.leases.put(l)
	s.wheel.add(l, nextCheck(now, s.node.opts.Terms, now))
	if r.Atlas.Via == "" {
		s.attach(l, connID{r.Atlas.Server, r.Atlas.Client})
	}
}

func (s *state) endLease(l *lease) {
	s.leases.remove(l.key)
	s.conns.remove(l)
}

// holds tells whether a lease is still the one of its instance.
func (s *state) holds(l *lease) bool { return s.leases.of[l.key] == l }

// check looks at a lease that the wheel brought up.
func (s *state) check(ctx context.Context, l *lease, now moment) {
	if !s.holds(l) {
		return
	}
	seen := l.seen()
	s.wheel.add(l, nextCheck(seen, s.node.opts.Terms, now))
	if now.since(seen) >= s.node.opts.Terms.late() {
		s.probe(ctx, l)
	}
}

// probed judges. Whatever happened to the registration or its heartbeats since
// the probe began is newer than its result.
func (s *state) probed(ctx context.Context, l *lease, r *record, asked moment, found outcome, detail string) {
	if !s.leads() || !s.holds(l) {
		return
	}
	if l.seen() == asked && l.record.Load() == r {
		s.learn(ctx, l, r, found, detail)
	}
	s.lookAgain(ctx, l)
}

func (s *state) learn(ctx context.Context, l *lease, r *record, found outcome, detail string) {
	now := s.node.momentNow()
	if found.lives() {
		l.alive = now
	}
	if found.proves() || !s.deaf(now) {
		// What follows is done as the leader, or not at all.
		s.judge(s.lead.mandate, l, r, found, becauseOf(found, detail))
	}
}

func becauseOf(found outcome, detail string) string {
	if detail == "" {
		return found.String()
	}
	return found.String() + ": " + detail
}

// deaf tells whether this node cannot have heard what was said: it has just
// started or woken, or has no connection.
func (s *state) deaf(now moment) bool { return now < s.grace || s.muffled || !s.node.nc.IsConnected() }

func (s *state) judge(ctx context.Context, l *lease, r *record, found outcome, cause string) {
	now := s.node.momentNow()
	v := judge(found, l.over(found, now, s.node.opts.Terms))
	switch {
	case v == evict && found.proves():
		s.evict(ctx, l.key, s.model.slots[l.key].seqs[aspectRecord], "probe: "+cause)
	case v == evict, found == anonymous && s.stretched(l, now):
		s.condemn(l, r, cause)
	case v == suspect && found == unwell:
		s.revise(ctx, l.key, r.Atlas.Incarnation, criticalFor(cause))
	case v == suspect:
		s.revise(ctx, l.key, r.Atlas.Incarnation, suspectFor(cause, time.Now()))
	case found == itself && r.Atlas.Suspect:
		s.revise(ctx, l.key, r.Atlas.Incarnation, trusted)
	}
}

// stretched tells whether a suspicion has gone on for too long. It goes by
// this node's own clock, so a restart begins anew: a wall clock that was set
// must not end it.
func (s *state) stretched(l *lease, now moment) bool {
	return now.since(l.seen()) > s.node.opts.MaxSuspect
}

// A revision changes what Atlas holds of an instance; false means that there
// is nothing to change.
type revision func(*record) bool

func suspectFor(cause string, now time.Time) revision {
	return func(r *record) bool {
		if r.Atlas.Suspect {
			return false
		}
		if r.Atlas.Status == registry.Critical {
			r.Atlas.Status = registry.Passing
		}
		r.Atlas.Suspect, r.Atlas.SuspectSince, r.Atlas.Cause = true, now.UTC().Round(0), "no heartbeats; probe: "+cause
		return true
	}
}

func criticalFor(cause string) revision {
	return func(r *record) bool {
		if r.Atlas.Status == registry.Critical && !r.Atlas.Suspect {
			return false
		}
		r.Atlas.Status, r.Atlas.Suspect, r.Atlas.SuspectSince = registry.Critical, false, time.Time{}
		r.Atlas.Cause = "no heartbeats; probe: " + cause
		return true
	}
}

func trusted(r *record) bool {
	if !r.Atlas.Suspect {
		return false
	}
	r.Atlas.Suspect, r.Atlas.SuspectSince, r.Atlas.Cause = false, time.Time{}, ""
	return true
}

// reported takes over the status of a heartbeat.
func reported(status registry.Status) revision {
	return func(r *record) bool {
		changed := trusted(r)
		if r.Atlas.Status == status {
			return changed
		}
		r.Atlas.Status, r.Atlas.Cause = status, ""
		return true
	}
}

// evict removes a registration if it is still the one that was judged.
func (s *state) evict(ctx context.Context, k registry.Key, judged uint64, cause string) {
	s.node.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		_, err := s.node.store.delete(ctx, bucketKey(k, aspectRecord), judged, causeEvicted+": "+cause)
		if err != nil {
			s.node.log.Warn("eviction not carried out", "instance", k.String(), "cause", cause, "error", err)
			return
		}
		s.node.meters.evictions.Add(ctx, 1)
		s.node.log.Info("instance evicted", "instance", k.String(), "cause", cause)
	})
}

// revise writes a change of one incarnation's record, in the background.
func (s *state) revise(ctx context.Context, k registry.Key, incarnation string, change revision) {
	s.node.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		if err := s.node.revise(ctx, k, incarnation, change); err != nil {
			s.node.log.Warn("status not written", "instance", k.String(), "error", err)
		}
	})
}

// revise changes the record of one incarnation by compare-and-set and waits
// until that has been applied.
func (n *Node) revise(ctx context.Context, k registry.Key, incarnation string, change revision) error {
	key := bucketKey(k, aspectRecord)
	return n.settle(ctx, key, func(ctx context.Context) (uint64, error) {
		st, err := n.standing(ctx, k)
		if err != nil {
			return 0, err
		}
		if st.record == nil || st.record.Atlas.Incarnation != incarnation {
			return 0, fmt.Errorf("%s: %w", k, registry.ErrUnknown)
		}
		next := st.record.clone()
		if !change(next) {
			return 0, nil
		}
		return n.store.put(ctx, key, next.encode(), st.seqs[aspectRecord], "")
	})
}

// keepExpiry remembers which flags end by themselves.
func (s *state) keepExpiry(t transition) {
	if t.aspect != aspectFlag || t.problem != "" {
		return
	}
	delete(s.expiring, t.key)
	if t.flagAfter != nil && !t.flagAfter.Until.IsZero() {
		s.expiring[t.key] = t.flagAfter.Until
	}
}

// endExpired takes flags away whose time is over.
func (s *state) endExpired(ctx context.Context, now time.Time) {
	for k, until := range s.expiring {
		if now.Before(until) {
			continue
		}
		delete(s.expiring, k)
		last := s.model.slots[k].seqs[aspectFlag]
		s.node.work.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, writeTimeout)
			defer cancel()
			_, err := s.node.store.delete(ctx, bucketKey(k, aspectFlag), last, causeExpired)
			if err != nil && !errors.Is(err, errMoved) {
				s.node.log.Warn("expired flag not removed", "instance", k.String(), "error", err)
				s.node.tell(ctx, func(s *state) { s.expiring[k] = until })
			}
		})
	}
}
