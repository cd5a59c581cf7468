package atlas

import (
	"context"
	"time"

	"fairlead.dev/registry"
)

// state is what one goroutine owns: the model, the leases, and what is about
// to be published. Its methods are called by that goroutine only.
type state struct {
	node    *Node
	model   *model
	created time.Time

	leases *leaseIndex
	wheel  *wheel
	conns  connections
	// closed are the connections that closed lately, orphans the instances of
	// closed ones that are still to be probed.
	closed  map[connID]moment
	orphans []*lease
	// grace ends when this node may judge: a node that starts or wakes has
	// not heard what was said meanwhile.
	grace moment
	// muffled is set while heartbeats cannot be heard.
	muffled bool
	lastRan time.Time
	// urgent and late are the probes of closed connections and of others.
	urgent, late probeQueue
	losses       *losses

	waiters   []waiter
	fanout    *fanout
	lead      leadership
	recent    recent
	expiring  map[registry.Key]time.Time
	published time.Time
	forgot    time.Time // when services were last forgotten
	// reloading holds back entries while the bucket is replayed anew.
	reloading bool
	held      []entry
}

// entriesAtOnce bounds how long everybody else waits for the owner.
const entriesAtOnce = 256

type waiter struct {
	seq     uint64
	reached chan struct{}
}

func newState(n *Node) *state {
	began := time.Now()
	now := n.moment(began)
	return &state{
		node: n, model: newModel(),
		leases: n.leases, wheel: newWheel(now), conns: connections{}, closed: map[connID]moment{},
		grace: now.add(n.opts.Terms.TTL), lastRan: began, losses: newLosses(),
		urgent: probeQueue{most: urgentAtOnce}, late: probeQueue{most: lateAtOnce},
		fanout:   newFanout(n.nc, n.log),
		lead:     leadership{node: nodeName(), started: n.began.UTC()},
		expiring: map[registry.Key]time.Time{},
	}
}

// run is the owner's loop.
func (s *state) run(ctx context.Context) {
	tick := time.NewTicker(wheelStep)
	defer tick.Stop()
	for {
		select {
		case e := <-s.node.entries:
			s.noticePause(time.Now())
			s.hearAll(ctx, e)
		case f := <-s.node.commands:
			s.noticePause(time.Now())
			f(s)
		case <-tick.C:
			s.noticePause(time.Now())
			s.tick(ctx, time.Now())
		case <-s.fanout.timer.C:
			s.noticePause(time.Now())
			s.fanout.flush(time.Now())
		case <-ctx.Done():
			return
		}
		s.probeOrphans(ctx)
	}
}

// hearAll takes an entry, and those that wait behind it: registrations come in
// groups, and whoever waits for one of a group can wait for all of it.
func (s *state) hearAll(ctx context.Context, e entry) {
	defer s.release()
	for range entriesAtOnce {
		s.hear(ctx, e)
		select {
		case e = <-s.node.entries:
		default:
			return
		}
	}
	s.hear(ctx, e)
}

// hear takes an entry from the bucket. What is old is dropped; a gap means
// that entries were missed, and the bucket is read again.
func (s *state) hear(ctx context.Context, e entry) {
	switch {
	case s.reloading:
		s.held = append(s.held, e)
	case e.seq <= s.model.seq:
	case e.seq != s.model.seq+1:
		s.node.log.Warn("missed changes of the bucket, reading it again", "have", s.model.seq, "got", e.seq)
		s.reload(ctx)
	default:
		now := time.Now()
		s.answered(now)
		t := s.model.apply(e)
		t.entry.value = nil // the last transitions are kept, and it is the most of them
		s.take(t, now)
	}
}

// take draws the conclusions from a transition. Every node keeps its own
// leases; the leader tells everybody else.
func (s *state) take(t transition, now time.Time) {
	if t.problem != "" {
		s.node.log.Warn("entry quarantined, the last good value stays", "key", t.entry.key, "problem", t.problem)
	}
	s.recent.add(t, now)
	if isOwn(t.entry.key) {
		s.node.events.know(s.model.secret)
	}
	if s.leads() {
		s.proclaim(t, now)
	}
	s.keepLease(t, s.node.moment(now))
	s.keepExpiry(t)
}

// proclaim tells everybody who has to know of a transition.
func (s *state) proclaim(t transition, now time.Time) {
	if t.problem != "" && s.model.strikes[t.entry.key] >= strikesMost {
		s.putBack(s.lead.mandate, t)
	}
	if isOwn(t.entry.key) {
		s.publishDigests(true)
	}
	if t.routes() {
		s.fanout.add(s.model.epoch, t, now)
	}
	if s.lead.announcing && !s.node.events.announce(s.model.epoch, t) {
		s.announceLater()
	}
}

func (s *state) reached(seq uint64) <-chan struct{} {
	w := waiter{seq: seq, reached: make(chan struct{})}
	s.waiters = append(s.waiters, w)
	s.release()
	return w.reached
}

// release lets go of whoever waits for what this node has taken in.
func (s *state) release() {
	s.node.taken.Store(s.model.seq)
	kept := s.waiters[:0]
	for _, w := range s.waiters {
		if w.seq > s.model.seq {
			kept = append(kept, w)
			continue
		}
		close(w.reached)
	}
	clear(s.waiters[len(kept):])
	s.waiters = kept
}

func (s *state) standing(k registry.Key, now time.Time) standing {
	st := standing{epoch: s.model.epoch}
	if slot := s.model.slots[k]; slot != nil {
		st.record, st.seqs = slot.record, slot.seqs
		for a := range aspects {
			_, isRubbish := s.model.quarantined[bucketKey(k, a)]
			st.set[a] = isRubbish || slot.has(a)
		}
	}
	if l := s.leases.of[k]; l != nil {
		st.held, st.spared = l.holds(s.node.moment(now), s.node.opts.Terms), s.losses.holding(l)
	}
	return st
}

// tick is what happens by itself.
func (s *state) tick(ctx context.Context, at time.Time) {
	if at.Sub(s.lead.said) >= presentEvery {
		s.lead.said = at
		s.forgetClosed(s.node.moment(at))
		s.recent.forget(at)
		s.say(nodeSubject, at)
	}
	if at.Sub(s.forgot) >= forgetEvery {
		s.forgot = at
		s.forgetServices(at)
	}
	s.vote(ctx, at)
	now := s.node.moment(at)
	s.noticeDeafness(now)
	s.wheel.advance(now, func(l *lease) { s.check(ctx, l, now) })
	if s.leads() {
		s.govern(at)
	}
}

func (s *state) forgetServices(at time.Time) {
	for _, r := range s.model.realms {
		r.forget(at)
	}
}

// govern is what the leader does by itself.
func (s *state) govern(at time.Time) {
	s.sentence(s.lead.mandate, at)
	s.endExpired(s.lead.mandate, at)
	// A leader that is cut off does not know it at once. What it says of its
	// tables would lead others back, so it says it only with the bucket's word.
	every := s.digestEvery(at)
	if at.Sub(s.published) >= every && at.Sub(s.lead.answered) < digestsFor {
		s.published = at
		s.publishDigests(every < s.node.opts.DigestEvery)
		s.node.samples.store(s.node, at)
	}
}

func (s *state) renewAll(now moment) {
	s.grace = now.add(s.node.opts.Terms.TTL)
	for _, l := range s.leases.of {
		l.heard.Store(int64(now))
	}
}

// digestEvery is shorter at first: whoever comes back after a restart should
// not have to wait to learn that the registry is not what it was.
func (s *state) digestEvery(at time.Time) time.Duration {
	if at.Sub(s.lead.since) < 3*s.node.opts.DigestEvery {
		return s.node.opts.DigestEvery / 4
	}
	return s.node.opts.DigestEvery
}

func (s *state) publishDigests(all bool) {
	for _, t := range s.model.tables() {
		s.fanout.digests(t, all)
	}
}

// reload reads the bucket anew in a goroutine of its own and then takes what
// this node had not seen.
func (s *state) reload(ctx context.Context) {
	if s.reloading {
		return
	}
	s.reloading = true
	from, epoch := s.model.seq, s.model.epoch
	s.node.work.Go(func() {
		fresh, missed, pos, err := s.node.reread(ctx, from, epoch)
		s.node.tell(ctx, func(s *state) { s.install(ctx, fresh, missed, pos, err) })
	})
}

// reread replays the bucket into a fresh model; missed are the transitions
// after a sequence, or all of them under another epoch.
func (n *Node) reread(ctx context.Context, from uint64, epoch string) (*model, []transition, position, error) {
	m := newReplay()
	var missed []transition
	pos, err := n.store.replay(ctx, everything, func(e entry) {
		if t := m.apply(e); e.seq > from || m.epoch != epoch {
			missed = append(missed, t)
		}
	})
	m.finishAt(pos)
	return m, missed, pos, err
}

func (s *state) install(ctx context.Context, fresh *model, missed []transition, pos position, err error) {
	s.reloading = false
	held := s.held
	s.held = nil
	if err != nil {
		// The check of the bucket comes by every second and tries again.
		s.node.log.Warn("reading the bucket failed", "error", err)
		return
	}
	if fresh.epoch != s.model.epoch {
		s.abandonWaiters()
		s.recent = recent{}
	}
	s.model, s.created = fresh, pos.created
	for _, t := range missed {
		s.take(t, time.Now())
	}
	s.release()
	s.forgetGone()
	s.adoptExpiries()
	for _, e := range held {
		s.hear(ctx, e)
	}
	s.release()
}

// abandonWaiters lets go of those who wait for a sequence of an earlier epoch:
// what they wrote was carried over or is lost with the bucket they wrote to.
func (s *state) abandonWaiters() {
	for _, w := range s.waiters {
		close(w.reached)
	}
	s.waiters = nil
}

// forgetGone drops the leases of instances that a fresh model does not list.
func (s *state) forgetGone() {
	for k, l := range s.leases.of {
		if slot := s.model.slots[k]; slot == nil || slot.record == nil {
			s.endLease(l)
		}
	}
}
