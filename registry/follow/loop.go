package follow

import (
	"context"
	"errors"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// state belongs to whoever holds the turn: the follower's goroutine, or a
// source's that brings an update while nobody else has it.
type state struct {
	turn sync.Mutex

	feeds  map[string]*feed
	truth  *registry.Table
	ghosts ghosts
	epoch  string // of the last snapshot

	table  *registry.Table // as published
	dirty  bool            // the truth or the ghosts changed since
	heard  bool            // the table was confirmed since
	roster bool            // feeds came or went since
	firsts []*interest     // interests answered for the first time since
	sweep  time.Time
	armed  time.Time // when the goroutine's timer fires

	twinning twinning
}

func newState(realm string) *state {
	return &state{feeds: map[string]*feed{}, ghosts: ghosts{}, truth: registry.NewTable(realm, "")}
}

func (s *state) interests() map[string]*interest {
	all := make(map[string]*interest, len(s.feeds))
	for name, feed := range s.feeds {
		all[name] = feed.shared
	}
	return all
}

func (f *Follower) run() {
	defer close(f.done)
	defer f.saveAll()
	defer f.asks.Wait()
	defer f.stopFeeds()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		fired := false
		select {
		case <-f.ctx.Done():
			return
		case <-f.inbox.signal:
		case <-timer.C:
			fired = true
		}
		if wait, sooner := f.turn(time.Now(), fired); sooner {
			timer.Reset(wait)
		}
	}
}

// turn deals with all that waits. It reports for how long the timer has to be
// set if that is sooner than it would fire: a timer that is early does no
// harm, setting it for each change does.
func (f *Follower) turn(now time.Time, fired bool) (wait time.Duration, sooner bool) {
	s := f.own
	s.turn.Lock()
	defer s.turn.Unlock()
	if fired {
		s.armed = time.Time{}
	}
	for _, m := range f.inbox.take() {
		f.handle(m, now)
	}
	f.tick(now)
	f.publish(now)
	next := f.next(now)
	if !s.earlier(next) {
		return 0, false
	}
	s.armed = next
	return next.Sub(now), true
}

func (s *state) earlier(next time.Time) bool {
	return s.armed.IsZero() || !next.IsZero() && next.Before(s.armed)
}

// bring has an update dealt with: at once, if nobody is at it and nothing came
// before, because to wake the goroutine costs as much as most changes do.
// Whatever needs more than the table is left to the goroutine.
func (f *Follower) bring(feed *feed, u registry.Update) {
	if !f.dealWith(feed, u) {
		if u.Changes != nil {
			u.Changes = u.Changes.Clone()
		}
		f.inbox.put(message{feed: feed, update: u})
	}
}

func (f *Follower) dealWith(feed *feed, u registry.Update) bool {
	s := f.own
	if u.Lost || !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	if !f.inbox.empty() || len(s.ghosts) > 0 || s.feeds[feed.interest.Service] != feed {
		return false
	}
	now := time.Now()
	f.hear(feed, u, now)
	f.publish(now)
	if s.earlier(sooner(f.nextOf(feed), s.twinning.due)) {
		f.inbox.wake()
	}
	return true
}

func (f *Follower) handle(m message, now time.Time) {
	switch {
	case m.want != nil:
		f.wanted(m.want, now)
	case m.twin != nil:
		f.share(m.twin)
	case f.own.feeds[m.feed.interest.Service] != m.feed: // not followed any more
	case m.loaded != nil:
		f.loaded(m.feed, m.loaded)
	case m.kept != nil:
		f.kept(m.feed, m.kept, now)
	case m.answer != nil:
		f.answer(m.feed, m.answer, now)
	default:
		f.hear(m.feed, m.update, now)
	}
}

func (f *Follower) hear(feed *feed, u registry.Update, now time.Time) {
	s := f.own
	before, wanted := s.truth, feed.pending()
	switch {
	case u.Changes != nil:
		f.stats.changes.Add(1)
		s.truth = feed.changes(s.truth, u.Changes, now)
		s.ghosts.settle(u.Changes)
	case u.Digest != nil:
		feed.digest(s.truth, u.Digest, now)
		s.heard = true
	case u.Lost:
		feed.lost(now) // what is being asked will not be answered any more
		if feed.asking {
			feed.abort()
		}
	}
	if s.truth != before {
		s.dirty = true
		feed.keeper.note(now)
	}
	if feed.pending() && !wanted {
		f.noteResync(feed)
	}
}

func (f *Follower) noteResync(feed *feed) {
	f.stats.resyncs.Add(1)
	f.log.Debug("table asks for a snapshot", "service", feed.interest.Service, "epoch", feed.epoch, "revision", feed.sequence)
}

func (f *Follower) answer(feed *feed, a *answer, now time.Time) {
	s := f.own
	if a.err == nil && a.snapshot.Realm != f.opts.Realm {
		a.err = errRealm
	}
	if a.err != nil {
		f.refused(feed, a.err, now)
		return
	}
	f.stats.snapshots.Add(1)
	if feed.failures > 0 {
		f.log.Info("registry answers again", "service", feed.interest.Service)
	}
	feed.shared.problem.Store(nil)
	if !feed.synced {
		s.firsts = append(s.firsts, feed.shared)
	}
	var gone []registry.Instance
	s.truth, gone = feed.answered(s.truth, a.snapshot, now)
	s.ghosts.add(gone, now.Add(f.opts.Grace))
	if len(gone) > 0 {
		f.log.Warn("registry began anew and lacks instances, keeping them as suspect", "instances", len(gone), "for", f.opts.Grace)
	}
	s.epoch, s.dirty = feed.epoch, true
	feed.keeper.note(now)
}

func (f *Follower) refused(feed *feed, err error, now time.Time) {
	if feed.again && errors.Is(err, context.Canceled) {
		feed.aborted(now)
		return
	}
	f.stats.failures.Add(1)
	feed.shared.problem.Store(&err)
	feed.failed(now)
	if feed.failures == 1 {
		f.log.Warn("no snapshot, trying again", "service", feed.interest.Service, "error", err)
	}
}

// tick acts on the time that has passed.
func (f *Follower) tick(now time.Time) {
	s := f.own
	s.dirty = s.ghosts.expire(s.truth, now) || s.dirty
	f.dropIdle(now)
	f.askTwin(now)
	for _, feed := range s.feeds {
		f.load(feed, now)
		f.adopt(feed, now)
		f.save(feed, now)
		if feed.tick(now) {
			f.noteResync(feed)
		}
		if !feed.due.IsZero() && !now.Before(feed.due) {
			f.ask(feed, now)
		}
	}
}

// ask listens, if the feed does not yet, and then requests a snapshot, one at
// a time for each feed.
func (f *Follower) ask(feed *feed, now time.Time) {
	if err := f.listen(feed); err != nil {
		f.refused(feed, err, now)
		return
	}
	feed.ask()
	ctx, cancel := context.WithTimeout(f.ctx, snapshotTimeout)
	feed.abort = cancel
	f.asks.Go(func() {
		defer cancel()
		snapshot, err := f.opts.Source.Snapshot(ctx, feed.interest)
		f.inbox.put(message{feed: feed, answer: &answer{snapshot: snapshot, err: err}})
	})
}

func (f *Follower) listen(feed *feed) (err error) {
	if feed.stop != nil {
		return nil
	}
	feed.stop, err = f.opts.Source.Listen(feed.interest, func(u registry.Update) { f.bring(feed, u) })
	return err
}

// publish shows readers what changed. Those who watch are only woken if the
// content did, or who holds it.
func (f *Follower) publish(now time.Time) {
	s := f.own
	if f.opts.Twin != nil {
		s.twinning.changed(s.truth, now)
	}
	if !s.dirty && !s.heard && !s.roster {
		return
	}
	shown := f.view.Load()
	next := &view{changed: shown.changed, interests: shown.interests}
	if s.dirty {
		s.table = s.ghosts.over(s.truth)
		next.changed = make(chan struct{})
	}
	if s.roster {
		next.interests = s.interests()
	}
	next.table = s.table.As(s.standing())
	f.view.Store(next)
	if s.dirty {
		close(shown.changed)
	}
	for _, in := range s.firsts {
		close(in.first)
	}
	s.dirty, s.heard, s.roster, s.firsts = false, false, false, nil
}

// standing tells as of when the table is: the latest revision of all feeds in
// the current epoch; the cache as its source as long as anything is from there;
// and when the feed that was confirmed longest ago was.
func (s *state) standing() (at registry.Revision, source registry.TableSource, updated time.Time) {
	at, source = registry.Revision{Epoch: s.epoch}, registry.Live
	for _, feed := range s.feeds {
		if feed.epoch == s.epoch {
			at.Sequence = max(at.Sequence, feed.sequence)
		}
		if feed.cached {
			source = registry.Cached
		}
		if feed.synced {
			updated = sooner(updated, feed.confirmed)
		}
	}
	if len(s.feeds) == 0 {
		updated = time.Now()
	}
	return at, source, updated
}

// next returns when to look at the clock again.
func (f *Follower) next(now time.Time) time.Time {
	next := now.Add(time.Hour)
	next = sooner(next, f.own.ghosts.next())
	next = sooner(next, f.own.sweep)
	next = sooner(next, f.own.twinning.due)
	for _, feed := range f.own.feeds {
		next = sooner(next, f.nextOf(feed))
	}
	return next
}

func (f *Follower) nextOf(feed *feed) time.Time { return sooner(feed.next(), f.cacheNext(feed)) }

func (f *Follower) stopFeeds() {
	for _, feed := range f.own.feeds {
		if feed.stop != nil {
			feed.stop()
		}
	}
}
