package follow

import (
	"context"
	"time"

	"fairlead.dev/registry"
)

const (
	// twinAfter is how long after a change the twin is asked for: it may hear of
	// the change later, and changes come in groups.
	twinAfter   = time.Second
	twinTimeout = 5 * time.Second
)

// A twinning is what a follower shares with [Options.Twin].
type twinning struct {
	shared *registry.Table // the truth as it was when the twin was asked, or after that
	due    time.Time       // when to ask next; zero if not at all
	asking bool
}

// twin is what was answered.
type twin struct {
	table *registry.Table // nil: nothing
}

// changed takes note that the truth may be another one.
func (t *twinning) changed(truth *registry.Table, now time.Time) {
	if truth != t.shared && t.due.IsZero() && !t.asking {
		t.due = now.Add(twinAfter)
	}
}

// askTwin asks in the background, when it is due.
func (f *Follower) askTwin(now time.Time) {
	t := &f.own.twinning
	if t.due.IsZero() || now.Before(t.due) {
		return
	}
	t.due, t.asking, t.shared = time.Time{}, true, f.own.truth
	f.asks.Go(func() {
		ctx, cancel := context.WithTimeout(f.ctx, twinTimeout)
		defer cancel()
		f.inbox.put(message{twin: &twin{f.opts.Twin(ctx)}})
	})
}

// share takes what is the same from the twin. Readers are woken, although they
// find what they had: whoever keeps the table before would keep all of it.
func (f *Follower) share(found *twin) {
	s := f.own
	before := s.truth
	if found.table != nil && found.table.Revision.Epoch == s.epoch {
		s.truth = s.truth.Sharing(found.table)
		s.dirty = s.dirty || s.truth != before
	}
	s.twinning.asking = false
	if s.twinning.shared == before { // otherwise it changed meanwhile, and is shared once more
		s.twinning.shared = s.truth
	}
}
