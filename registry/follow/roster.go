package follow

import (
	"errors"
	"time"

	"fairlead.dev/registry"
)

var errRealm = errors.New("snapshot is of another realm")

// add begins to follow an interest; it is asked for at once.
func (f *Follower) add(service string, pinned bool) *feed {
	feed := &feed{
		interest: registry.Interest{Realm: f.opts.Realm, Service: service},
		shared:   &interest{first: make(chan struct{})},
		pinned:   pinned, patience: f.opts.DigestPatience,
		due: time.Unix(0, 0),
	}
	f.own.feeds[service] = feed
	f.own.roster = true
	return feed
}

func (f *Follower) wanted(w *want, now time.Time) {
	feed := f.own.feeds[w.service]
	if feed == nil {
		f.makeRoom()
		feed = f.add(w.service, false)
	}
	feed.shared.use()
	feed.lastUse = now
	f.own.sweep = sooner(f.own.sweep, now.Add(f.opts.UnknownIdle))
	w.reply <- feed.shared
}

// unknown tells whether a feed may be ended: nobody asked for it for good, and
// its service has no instance.
func (f *Follower) unknown(feed *feed) bool {
	return !feed.pinned && f.own.table.Service(feed.interest.Service).Len() == 0
}

// makeRoom ends the unknown service that was used longest ago if there are too
// many of them.
func (f *Follower) makeRoom() {
	var oldest *feed
	count := 0
	for _, feed := range f.own.feeds {
		if !f.unknown(feed) {
			continue
		}
		count++
		if oldest == nil || feed.lastUse.Before(oldest.lastUse) {
			oldest = feed
		}
	}
	if count >= f.opts.UnknownMost {
		f.remove(oldest)
	}
}

// dropIdle ends the unknown services that were not asked for lately.
func (f *Follower) dropIdle(now time.Time) {
	s := f.own
	if s.sweep.IsZero() || now.Before(s.sweep) {
		return
	}
	s.sweep = time.Time{}
	for _, feed := range s.feeds {
		if feed.shared.used.Swap(false) {
			feed.lastUse = now
		}
		idleAt := feed.lastUse.Add(f.opts.UnknownIdle)
		switch {
		case feed.pinned:
		case f.unknown(feed) && !now.Before(idleAt):
			f.remove(feed)
		default:
			s.sweep = sooner(s.sweep, now.Add(f.opts.UnknownIdle))
		}
	}
}

func (f *Follower) remove(feed *feed) {
	if feed.stop != nil {
		feed.stop()
	}
	if feed.asking {
		feed.abort()
	}
	name := feed.interest.Service
	delete(f.own.feeds, name)
	f.own.truth = f.own.truth.WithoutService(name)
	f.own.roster, f.own.dirty = true, true
}
