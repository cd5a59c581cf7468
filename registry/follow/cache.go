package follow

import (
	"errors"
	"time"

	"fairlead.dev/registry"
)

// loaded is what the cache has of an interest.
type loaded struct {
	saved *registry.Saved // nil if nothing
	mark  mark
}

// kept is the outcome of saving.
type kept struct{ err error }

// load asks the cache once, in the background: a disk may take its time.
func (f *Follower) load(feed *feed, now time.Time) {
	if f.opts.Cache == nil || !feed.savedDue.IsZero() {
		return
	}
	feed.savedDue = now.Add(f.opts.CacheAfter)
	f.asks.Go(func() {
		saved, err := f.opts.Cache.Load(feed.interest)
		if err != nil {
			if !errors.Is(err, registry.ErrNotCached) {
				f.log.Warn("cache is not to be used", "error", err)
			}
			f.inbox.put(message{feed: feed, loaded: &loaded{}})
			return
		}
		hash := registry.NewTable(saved.Realm, "").WithServices(saved.Services).Hash()
		f.inbox.put(message{feed: feed, loaded: &loaded{&saved, mark{saved.Revision.Epoch, hash}}})
	})
}

func (f *Follower) loaded(feed *feed, l *loaded) {
	if l.saved == nil || l.saved.Realm != f.opts.Realm {
		return
	}
	if feed.keeper.saved == nil {
		feed.keeper.saved, feed.keeper.confirmed = &l.mark, l.saved.Confirmed
	}
	if !feed.synced {
		feed.saved = l.saved
	}
}

// adopt takes what the cache has, once the registry has failed to answer or
// has taken too long. A live snapshot then replaces it by the same rules as
// any other.
func (f *Follower) adopt(feed *feed, now time.Time) {
	if feed.saved == nil || feed.failures == 0 && now.Before(feed.savedDue) {
		return
	}
	s, saved := f.own, feed.saved
	s.truth = feed.adopt(s.truth, saved)
	s.epoch, s.dirty = feed.epoch, true
	s.firsts = append(s.firsts, feed.shared)
	f.log.Warn("registry does not answer, going on with the table from the cache",
		"service", feed.interest.Service, "revision", saved.Revision, "age", now.Sub(saved.Confirmed).Round(time.Second))
}

// adopt takes a saved snapshot over in place of a first one.
func (f *feed) adopt(t *registry.Table, saved *registry.Saved) *registry.Table {
	f.epoch, f.snapshot, f.sequence = saved.Revision.Epoch, saved.Revision.Sequence, saved.Revision.Sequence
	f.confirmed, f.synced, f.cached, f.saved = saved.Confirmed, true, true, nil
	return merge(t, f.interest, saved.Snapshot, true)
}

// keeps tells whether what a feed has is fit to be saved: confirmed by the
// registry, and with nothing in doubt.
func (f *Follower) keeps(feed *feed) bool {
	return f.opts.Cache != nil && feed.synced && !feed.cached && !f.own.ghosts.haunts(feed.interest)
}

// save saves in the background, one at a time for each feed.
func (f *Follower) save(feed *feed, now time.Time) {
	if !f.keeps(feed) {
		return
	}
	due := feed.keeper.due()
	switch {
	case !due.IsZero() && !now.Before(due) && f.worthSaving(feed):
		saved := f.savedOf(feed)
		f.background(feed, func() error { return f.opts.Cache.Save(feed.interest, saved) })
	case feed.keeper.stale(feed.confirmed):
		at := feed.confirmed
		f.background(feed, func() error { return f.opts.Cache.Confirm(feed.interest, at) })
	}
}

func (f *Follower) background(feed *feed, save func() error) {
	feed.keeper.begin(f.markOf(feed), feed.confirmed)
	f.asks.Go(func() { f.inbox.put(message{feed: feed, kept: &kept{save()}}) })
}

func (f *Follower) kept(feed *feed, k *kept, now time.Time) {
	feed.keeper.end(k.err, now)
	if k.err != nil {
		f.log.Warn("table not saved, trying again later", "service", feed.interest.Service, "error", k.err)
		return
	}
	f.stats.saves.Add(1)
}

// worthSaving spares a file for each mistyped name, and writing what is there.
func (f *Follower) worthSaving(feed *feed) bool {
	name := feed.interest.Service
	return (name == "" || feed.keeper.saved != nil || f.own.truth.Service(name).Len() > 0) && !feed.keeper.isSaved(f.markOf(feed))
}

func (f *Follower) markOf(feed *feed) mark {
	if name := feed.interest.Service; name != "" {
		return mark{feed.epoch, f.own.truth.Service(name).Hash()}
	}
	return mark{feed.epoch, f.own.truth.Hash()}
}

// savedOf returns the truth of an interest, without ghosts.
func (f *Follower) savedOf(feed *feed) registry.Saved {
	at := registry.Revision{Epoch: feed.epoch, Sequence: feed.sequence}
	return registry.Saved{Snapshot: f.own.truth.At(at).Snapshot(feed.interest), Confirmed: feed.confirmed}
}

// saveAll saves what has not settled yet, at the end.
func (f *Follower) saveAll() {
	for _, feed := range f.own.feeds {
		if feed.keeper.first.IsZero() || !f.keeps(feed) || !f.worthSaving(feed) {
			continue
		}
		if err := f.opts.Cache.Save(feed.interest, f.savedOf(feed)); err != nil {
			f.log.Warn("table not saved", "service", feed.interest.Service, "error", err)
			continue
		}
		f.stats.saves.Add(1)
	}
}

// cacheNext returns when to look after what concerns the cache.
func (f *Follower) cacheNext(feed *feed) (next time.Time) {
	if feed.saved != nil {
		next = feed.savedDue
	}
	if f.keeps(feed) && f.worthSaving(feed) {
		next = sooner(next, feed.keeper.due())
	}
	return next
}
