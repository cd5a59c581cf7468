package atlas

import (
	"context"
	"time"

	"fairlead.dev/registry/protocol"
	"fairlead.dev/schemas"
)

// When a large part of a realm falls silent at once, it is more likely that
// this node is cut off than that all of them died. What would be evicted
// without proof of its death is then held back: it stays listed as suspect,
// used only if nothing better is left. Proven deaths go all the same.
//
// Whoever would go is counted from the moment its heartbeats are late and no
// probe has been answered since, not only when its lease is over: else the
// first few of many would be gone before the rest are seen.
const (
	// lossWindow is how long an eviction without proof is remembered.
	lossWindow = 30 * time.Second
	// lossLeast and lossShare bound what may go within that time.
	lossLeast = 3
	lossShare = 15 // percent
	// censusEvery bounds how often all leases are counted, while there is a
	// reason to.
	censusEvery = 200 * time.Millisecond
)

// A census is what is known of a realm's losses at one moment.
type census struct {
	// listed are the instances of the realm, with those that went lately.
	listed int
	// going are those of them in doubt, and those that went lately without
	// proof.
	going int
}

// mass tells whether too many are going at once.
func (c census) mass() bool {
	return c.going >= lossLeast && c.going*100 > c.listed*lossShare
}

// holds tells whether the eviction of an instance that has been silent for so
// long is to be held back. While most of the realm is heard this node is not
// cut off, so silence does not keep an instance listed for ever; the rest of
// a realm that is not heard at all waits for as long as it takes.
func (c census) holds(silence, most time.Duration) bool {
	if !c.mass() {
		return false
	}
	return c.going*2 >= c.listed || silence <= most
}

// losses keep evictions that lack proof until they are decided together. The
// owner of the state calls it.
type losses struct {
	condemned map[*lease]condemned
	realms    map[string]*realmLosses
	counted   moment
}

// condemned is a lease that is over and whose instance is silent, with what
// was judged.
type condemned struct {
	record *record
	seen   moment
	cause  string
}

// realmLosses is what a realm lost without proof within the window, and what
// is held back.
type realmLosses struct {
	gone  []moment
	since time.Time // zero while nothing is held back
	// held is what was judged of each whose eviction is held back.
	held map[*lease]condemned
}

func newLosses() *losses {
	return &losses{condemned: map[*lease]condemned{}, realms: map[string]*realmLosses{}}
}

func (x *losses) realm(name string) *realmLosses {
	r := x.realms[name]
	if r == nil {
		r = &realmLosses{held: map[*lease]condemned{}}
		x.realms[name] = r
	}
	return r
}

// condemn has an eviction without proof decided at the next count.
func (s *state) condemn(l *lease, r *record, cause string) {
	s.losses.condemned[l] = condemned{record: r, seen: l.seen(), cause: cause}
}

// sentence decides on what was condemned, and ends what was held for long
// enough. It counts only while there is something to decide.
func (s *state) sentence(ctx context.Context, at time.Time) {
	now := s.node.moment(at)
	if len(s.losses.condemned)+len(s.losses.realms) == 0 || now.since(s.losses.counted) < censusEvery {
		return
	}
	s.losses.counted = now
	for _, r := range s.losses.realms {
		s.letGo(r, now)
	}
	counts := s.census(now)
	for l, c := range s.losses.condemned {
		delete(s.losses.condemned, l)
		if s.holds(l) && l.seen() == c.seen && l.record.Load() == c.record {
			s.decide(ctx, l, c, counts[l.key.Realm], at)
		}
	}
	for realm, r := range s.losses.realms {
		s.settleRealm(realm, r, counts[realm])
	}
}

// census counts every realm anew.
func (s *state) census(now moment) map[string]*census {
	counts := map[string]*census{}
	of := func(realm string) *census {
		if counts[realm] == nil {
			counts[realm] = &census{}
		}
		return counts[realm]
	}
	for _, l := range s.leases.of {
		c := of(l.key.Realm)
		c.listed++
		if s.losses.has(l) || l.inDoubt(now, s.node.opts.Terms) {
			c.going++
		}
	}
	for realm, r := range s.losses.realms {
		of(realm).listed += len(r.gone)
		of(realm).going += len(r.gone)
	}
	return counts
}

// inDoubt tells whether neither a heartbeat nor a probe's answer came in time.
func (l *lease) inDoubt(now moment, terms Terms) bool {
	return now.since(max(l.seen(), l.alive)) >= terms.late()
}

// has tells whether an instance is condemned or held.
func (x *losses) has(l *lease) bool {
	_, is := x.condemned[l]
	if r := x.realms[l.key.Realm]; r != nil && !is {
		_, is = r.held[l]
	}
	return is
}

// letGo forgets what went long ago, and no longer holds who was heard again or
// is gone.
func (s *state) letGo(r *realmLosses, now moment) {
	for len(r.gone) > 0 && now.since(r.gone[0]) > lossWindow {
		r.gone = r.gone[1:]
	}
	for l, c := range r.held {
		answers := !l.inDoubt(now, s.node.opts.Terms) && !s.stretched(l, now)
		if !s.holds(l) || l.seen() != c.seen || answers {
			delete(r.held, l)
		}
	}
}

// decide evicts, or holds back and says so.
func (s *state) decide(ctx context.Context, l *lease, c condemned, count *census, at time.Time) {
	r, now := s.losses.realm(l.key.Realm), s.node.moment(at)
	if !count.holds(now.since(c.seen), s.node.opts.MaxSuspect) {
		r.gone = append(r.gone, now)
		delete(r.held, l)
		s.evict(ctx, l.key, s.model.slots[l.key].seqs[aspectRecord], "probe: "+c.cause)
		return
	}
	r.held[l] = c
	s.revise(ctx, l.key, c.record.Atlas.Incarnation, suspectFor(c.cause+", eviction held back", at))
	if r.since.IsZero() {
		r.since = at
		s.tellHeld(l.key.Realm, count)
	}
}

// settleRealm ends the holding when no more than a few are going.
func (s *state) settleRealm(realm string, r *realmLosses, c *census) {
	if c == nil {
		c = &census{} // nobody is left
	}
	if !r.since.IsZero() && !c.mass() {
		s.tellReleased(realm, r, c)
		r.since = time.Time{}
		clear(r.held) // the next probe decides
	}
	if r.since.IsZero() && len(r.gone) == 0 {
		delete(s.losses.realms, realm)
	}
}

// held tells what is held back in every realm, nil if nothing is.
func (x *losses) held() map[string]*protocol.HeldEvictions {
	var all map[string]*protocol.HeldEvictions
	for realm := range x.realms {
		if h := x.heldIn(realm); h != nil {
			if all == nil {
				all = map[string]*protocol.HeldEvictions{}
			}
			all[realm] = h
		}
	}
	return all
}

// heldIn tells what is held back in a realm, nil if nothing is.
func (x *losses) heldIn(realm string) *protocol.HeldEvictions {
	r := x.realms[realm]
	if r == nil || r.since.IsZero() {
		return nil
	}
	held := &protocol.HeldEvictions{Since: r.since.UTC(), Count: len(r.held)}
	for lease := range r.held {
		if len(held.Some) == protocol.MostHeld {
			break
		}
		held.Some = append(held.Some, lease.key)
	}
	return held
}

// holding tells why a lease's eviction is held back, empty if it is not.
func (x *losses) holding(l *lease) string {
	r := x.realms[l.key.Realm]
	if r == nil {
		return ""
	}
	if _, held := r.held[l]; !held {
		return ""
	}
	return "too many fell silent at once, since " + r.since.UTC().Format(time.RFC3339)
}

func (s *state) tellHeld(realm string, c *census) {
	s.node.log.Error("too many instances fell silent at once, their evictions are held back",
		"realm", realm, "silent", c.going, "listed", c.listed)
	s.node.events.announceHeld(schemas.RegistryHeld{
		AboutService: s.aboutRealm(realm), Revision: s.revision(), Instances: c.listed, Silent: c.going,
	}, s.revision(), time.Now())
}

func (s *state) tellReleased(realm string, r *realmLosses, c *census) {
	s.node.log.Warn("evictions are no longer held back", "realm", realm, "since", r.since, "silent", c.going, "listed", c.listed)
	s.node.events.announceHeld(schemas.RegistryReleased{
		AboutService: s.aboutRealm(realm), Revision: s.revision(), Since: r.since.UTC(),
		Instances: c.listed, Silent: c.going,
	}, s.revision(), time.Now())
}

func (s *state) aboutRealm(realm string) schemas.AboutService {
	return schemas.AboutService{Realm: realm, Service: schemas.PlatformService}
}

func (s *state) revision() schemas.Revision {
	return schemas.Revision{Epoch: s.model.epoch, Sequence: s.model.seq}
}
