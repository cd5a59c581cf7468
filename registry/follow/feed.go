package follow

import (
	"strings"
	"time"

	"fairlead.dev/registry"
)

// A feed is what is known of how well one interest is followed. It does no
// I/O: it is told what happened and when, and tells when it wants a snapshot.
// The table that it changes is the follower's, and passed through.
type feed struct {
	interest registry.Interest
	shared   *interest
	pinned   bool
	patience time.Duration
	stop     func() // ends listening; nil while it does not listen
	abort    func() // ends the request under way

	// What is held: the epoch, and the last snapshot's revision.
	epoch     string
	snapshot  uint64
	sequence  uint64 // of the last snapshot or change
	synced    bool
	confirmed time.Time // when the table was last known to be current

	// The need for a snapshot: due is when to ask, asking that one is under
	// way, again that it will not do because something was lost meanwhile.
	due      time.Time
	asking   bool
	again    bool
	backlog  []*registry.Changes
	failures int // since the last snapshot
	resyncs  int // lately

	answeredAt time.Time
	// Snapshots older than what was held when they were asked for: some come
	// from a node that lags. If they or the digests keep to it, the registry
	// has gone back (an older state was restored), and the older is right.
	askedAt    uint64
	olderSince time.Time
	regress    bool

	// A digest that differs, and until when it may.
	doubt       *registry.Digest
	doubtUntil  time.Time
	behindSince time.Time
	quietUntil  time.Time

	lastUse time.Time

	// cached tells that what is held comes from the cache, saved is what was
	// found there and is not used yet, to be used at savedDue.
	cached   bool
	saved    *registry.Saved
	savedDue time.Time
	keeper   keeper
}

// pending tells whether a snapshot is wanted or under way, so that what is
// heard has to be kept.
func (f *feed) pending() bool { return f.asking || !f.due.IsZero() }

// demand wants a snapshot, after a random part of a spread, and later the more
// often that happened lately. It reports false if one is wanted already.
func (f *feed) demand(now time.Time, over time.Duration) (fresh bool) {
	if f.pending() {
		return false
	}
	if now.Sub(f.answeredAt) > calm {
		f.resyncs = 0
	}
	delay := spread(over)
	if f.resyncs > 0 {
		delay += backoff(f.resyncs)
	}
	f.resyncs++
	f.due = now.Add(delay)
	return true
}

// hurry cuts the wait for a request short: there is a sign that it will be
// answered now.
func (f *feed) hurry(now time.Time) {
	f.demand(now, massSpread)
	if at := now.Add(spread(massSpread)); !f.asking && at.Before(f.due) {
		f.due = at
	}
}

// ask begins a request. What was heard before stays in the backlog: the node
// that answers may be a little behind the one that published.
func (f *feed) ask() {
	f.asking, f.again, f.due = true, false, time.Time{}
	f.askedAt = f.sequence
}

// failed takes note that a request was not answered.
func (f *feed) failed(now time.Time) {
	f.asking = false
	f.failures++
	f.due = now.Add(backoff(f.failures))
}

// aborted takes note that a request was given up because of a new connection.
func (f *feed) aborted(now time.Time) {
	f.asking = false
	f.demand(now, massSpread)
}

// lost takes note that messages may have been missed. After a long outage the
// registry may still be a moment behind the bus: what failed before is no
// reason to wait long now.
func (f *feed) lost(now time.Time) {
	f.failures = min(f.failures, 1)
	if f.asking {
		f.again = true
		return
	}
	f.hurry(now)
}

// changes applies a message's changes, if they follow what is held.
func (f *feed) changes(t *registry.Table, c *registry.Changes, now time.Time) *registry.Table {
	if c.Realm != f.interest.Realm || !covers(f.interest, c.Service) {
		return t
	}
	ok := f.synced && c.Epoch == f.epoch
	if ok {
		t, ok = apply(t, f.snapshot, c)
		f.advance(t, c.Service)
	}
	if !ok {
		f.demand(now, f.spreadFor(c.Epoch))
	}
	if f.pending() {
		f.keep(c)
	}
	return t
}

// spreadFor is no spread at all for a gap, which is this listener's own, and
// some for a new epoch, which is everybody's.
func (f *feed) spreadFor(epoch string) time.Duration {
	if epoch == f.epoch {
		return 0
	}
	return massSpread
}

func (f *feed) advance(t *registry.Table, service string) {
	f.sequence = max(f.sequence, revisionOf(t, service))
	if f.doubt == nil {
		return
	}
	if f.revision(t) > f.doubt.Revision || f.hash(t) == f.doubt.Hash {
		f.doubt = nil
	}
}

func (f *feed) keep(c *registry.Changes) {
	if len(f.backlog) >= backlogMost {
		f.backlog, f.again = nil, true
	}
	f.backlog = append(f.backlog, c.Clone())
}

// answered takes a snapshot over, and what was heard since it was wanted. The
// instances that a new epoch lacks are returned: they are not dead for sure.
func (f *feed) answered(t *registry.Table, s registry.Snapshot, now time.Time) (*registry.Table, []registry.Instance) {
	if f.tooOld(s, now) {
		f.failed(now)
		return t, nil
	}
	restart := f.synced && (s.Revision.Epoch != f.epoch || f.regress && s.Revision.Sequence < f.sequence)
	before := t
	t = merge(t, f.interest, s, restart)
	var gone []registry.Instance
	if restart {
		gone = missing(before, t, f.interest)
		f.sequence = 0
	}
	f.epoch, f.snapshot, f.synced = s.Revision.Epoch, s.Revision.Sequence, true
	f.sequence = max(f.sequence, s.Revision.Sequence)
	f.asking, f.regress, f.failures, f.olderSince = false, false, 0, time.Time{}
	f.cached, f.saved = false, nil
	f.answeredAt = now
	t, ok := f.replay(t)
	f.doubt, f.behindSince = nil, time.Time{}
	f.current(now)
	if !ok {
		f.demand(now, 0)
	}
	return t, gone
}

// tooOld tells whether a snapshot is to be asked for again because it is older
// than what was held before.
func (f *feed) tooOld(s registry.Snapshot, now time.Time) bool {
	if !f.synced || s.Revision.Epoch != f.epoch || s.Revision.Sequence >= f.askedAt || f.regress {
		return false
	}
	if f.olderSince.IsZero() {
		f.olderSince = now
	}
	f.regress = now.Sub(f.olderSince) >= olderFor
	return !f.regress
}

// replay applies the backlog on top of a snapshot. It reports false if that
// was not enough to be current.
func (f *feed) replay(t *registry.Table) (*registry.Table, bool) {
	ok := !f.again
	f.again = false
	for i, c := range f.backlog {
		if c.Epoch != f.epoch {
			// Before the snapshot it is a message of the epoch that ended. As
			// the last word it may be of one that has just begun.
			ok = ok && i < len(f.backlog)-1
			continue
		}
		var fit bool
		t, fit = apply(t, f.snapshot, c)
		f.sequence = max(f.sequence, revisionOf(t, c.Service))
		ok = ok && fit
	}
	f.backlog = nil
	return t, ok
}

// current takes note that the table is known to be current.
func (f *feed) current(now time.Time) {
	f.confirmed = now
	f.quietUntil = now.Add(silence + spread(silence/3))
}

// digest compares what is held with what should be.
func (f *feed) digest(t *registry.Table, d *registry.Digest, now time.Time) {
	switch {
	case d.Realm != f.interest.Realm || d.Service != f.interest.Service || !strings.HasPrefix(d.Hash, registry.HashVersion):
	case d.Epoch == f.epoch && f.synced && d.Revision < f.revision(t) && d.Hash != f.hash(t):
		f.behind(d, now)
	case f.pending():
		f.hurry(now)
	case d.Epoch != f.epoch:
		f.demand(now, massSpread)
	case d.Hash == f.hash(t):
		f.doubt, f.behindSince = nil, time.Time{}
		f.current(now)
	default:
		f.differs(d, now)
	}
}

// differs begins to doubt, unless an earlier doubt still stands.
func (f *feed) differs(d *registry.Digest, now time.Time) {
	f.behindSince = time.Time{}
	if f.doubt == nil {
		f.doubt, f.doubtUntil = d, now.Add(f.patience)
	}
}

// behind takes note of a digest that is older than what is held. One may have
// been overtaken by a change. When they keep coming, the registry has gone
// back: an older state was restored.
func (f *feed) behind(d *registry.Digest, now time.Time) {
	limit := behindFor
	if d.Sole {
		limit = f.patience
	}
	if f.behindSince.IsZero() {
		f.behindSince = now
	}
	if now.Sub(f.behindSince) >= limit {
		f.regress, f.behindSince = true, time.Time{}
		f.hurry(now)
	}
}

// tick acts on the time that has passed, and reports a new need to ask.
func (f *feed) tick(now time.Time) (fresh bool) {
	switch {
	case f.pending():
	case f.doubt != nil && !now.Before(f.doubtUntil):
		f.doubt = nil
		return f.demand(now, massSpread)
	case !now.Before(f.quietUntil):
		return f.demand(now, massSpread)
	}
	return false
}

// next returns when tick or a request is due.
func (f *feed) next() time.Time {
	switch {
	case f.asking:
		return time.Time{}
	case !f.due.IsZero():
		return f.due
	case f.doubt != nil:
		return f.doubtUntil
	}
	return f.quietUntil
}

// revision is what a digest's revision is compared with.
func (f *feed) revision(t *registry.Table) uint64 {
	if f.interest.Service == "" {
		return f.sequence
	}
	return revisionOf(t, f.interest.Service)
}

func (f *feed) hash(t *registry.Table) string { return t.Digest(f.interest.Service).Hash }
