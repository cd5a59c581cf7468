package atlas

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// recentFor is how far back a new leader publishes again: longer than it
	// takes to notice that the old one is gone.
	recentFor = 4 * time.Second
	// rememberFor is how far back it can announce every single event. The
	// bucket's history of a key is short.
	rememberFor = time.Minute
	// rememberMost bounds that; when it is reached the oldest eighth goes.
	rememberMost = 8192
)

// recent holds the last transitions, all those after a sequence. Every node
// keeps them, because it may have to publish them.
type recent struct {
	after uint64
	list  []recentTransition
}

type recentTransition struct {
	transition
	at time.Time
}

func (r *recent) add(t transition, now time.Time) {
	r.list = append(r.list, recentTransition{t, now})
	r.forget(now)
}

// forget drops what is too old, and too much.
func (r *recent) forget(now time.Time) {
	if len(r.list) > rememberMost {
		const drop = rememberMost / 8 // many at once: the list is copied
		r.after = r.list[drop-1].entry.seq
		r.list = slices.Delete(r.list, 0, drop)
	}
	drop := 0
	for drop < len(r.list) && now.Sub(r.list[drop].at) > rememberFor {
		drop++
	}
	if drop > 0 {
		r.after = r.list[drop-1].entry.seq
		clear(r.list[:drop])
		r.list = r.list[drop:]
	}
	if len(r.list) == 0 {
		r.list = nil
	}
}

// since returns the transitions after a sequence, unless some of them are no
// longer there.
func (r *recent) since(seq uint64) ([]transition, bool) {
	if seq < r.after {
		return nil, false
	}
	var all []transition
	for _, t := range r.list {
		if t.entry.seq > seq {
			all = append(all, t.transition)
		}
	}
	return all, true
}

// takeOver begins to lead. Whoever led before may have died between a change
// and its publication, so the last ones go out again: listeners drop what they
// have by its revision.
func (s *state) takeOver(ctx context.Context, now time.Time) {
	s.lead.mandate, s.lead.resign = context.WithCancel(ctx)
	s.node.leading.Store(true)
	s.lead.since = now
	for _, t := range s.recent.list {
		if t.routes() && now.Sub(t.at) <= recentFor {
			s.fanout.add(s.model.epoch, t.transition, now)
		}
	}
	s.published = now
	s.publishDigests(true)
	s.adoptExpiries()
	s.putBackAll()
	s.probeDoubtful(ctx, s.node.moment(now))
	s.announceLater()
}

// announceLater announces by the cursor of what is stored: after a time
// without a leader, or when more changed than the queue of events takes.
func (s *state) announceLater() {
	s.lead.announcing = false
	mandate := s.lead.mandate
	s.node.work.Go(func() { s.node.announceMissed(mandate) })
}

// putBackAll mends the keys that got too many bad values while nobody led.
func (s *state) putBackAll() {
	for key, strikes := range s.model.strikes {
		k, a, err := parseBucketKey(key)
		if slot := s.model.slots[k]; strikes >= strikesMost && err == nil && slot != nil {
			s.putBack(s.lead.mandate, transition{key: k, aspect: a, entry: entry{key: key, seq: slot.seqs[a]}})
		}
	}
}

// probeDoubtful probes the instances whose connection closed, or whose
// heartbeats became late, while nobody led.
func (s *state) probeDoubtful(ctx context.Context, now moment) {
	for _, l := range s.leases.of {
		switch seen := l.seen(); {
		case l.closed > seen:
			l.secondLooks = int8(len(secondLooks))
			s.probeAtOnce(ctx, l)
		case now.since(seen) >= s.node.opts.Terms.late():
			s.probe(ctx, l)
		}
	}
}

// announceMissed announces what the stream of events does not have yet, and
// from then on what comes. It tries until that is done or the mandate ends.
func (n *Node) announceMissed(mandate context.Context) {
	for mandate.Err() == nil {
		err := n.tryAnnounceMissed(mandate)
		if err == nil {
			return
		}
		n.log.Debug("missed events not announced, trying again", "error", err)
		select {
		case <-time.After(eventRetry):
		case <-mandate.Done():
		}
	}
}

func (n *Node) tryAnnounceMissed(mandate context.Context) error {
	ctx, cancel := context.WithTimeout(mandate, writeTimeout)
	defer cancel()
	if n.events.isFull() {
		return errFell // what waits comes first
	}
	c, err := n.events.cursor(ctx)
	if err != nil {
		return err
	}
	done := false
	err = n.ask(ctx, func(s *state) {
		done = s.model.epoch == c.epoch && s.announceAfter(mandate, c, nil, c.seq)
	})
	if err != nil || done {
		return err
	}
	// The last seconds do not reach back that far: the bucket does.
	_, missed, pos, err := n.reread(ctx, c.seq, c.epoch)
	if err != nil {
		return err
	}
	err = n.ask(ctx, func(s *state) { done = s.announceAfter(mandate, c, missed, pos.last) })
	if err == nil && !done {
		return errFell
	}
	return err
}

var errFell = errors.New("more has changed meanwhile than is remembered")

// announceAfter announces what the cursor does not cover: what was read from
// the bucket up to a sequence, and what has been applied since. It reports
// false if that is no longer known.
func (s *state) announceAfter(mandate context.Context, c cursor, read []transition, upTo uint64) bool {
	if mandate.Err() != nil {
		return true
	}
	rest, all := s.recent.since(upTo)
	if !all {
		return false
	}
	now := time.Now()
	for _, t := range append(read, rest...) {
		if c.before(s.model.epoch, t.entry, now) && !s.node.events.announce(s.model.epoch, t) {
			return false
		}
	}
	s.lead.announcing = true
	return true
}
