package follow

import "time"

const (
	// A table is saved when it has not changed for settle, and at the latest
	// after settleMost: a deploy changes it a hundred times.
	settle     = 2 * time.Second
	settleMost = 30 * time.Second
	// confirmEvery is how often a saved table that goes on being current is
	// marked as such.
	confirmEvery = 30 * time.Second
)

// A keeper decides when an interest is to be saved. It does no I/O.
type keeper struct {
	first, last time.Time // changes that are not saved
	saved       bool      // there is a file of this process or of one before
	confirmed   time.Time // as saved
	busy        bool
	notBefore   time.Time // after a failure
}

// note takes note of a change.
func (k *keeper) note(now time.Time) {
	k.last = now
	if k.first.IsZero() {
		k.first = now
	}
}

// due is when to save; zero if there is nothing to.
func (k *keeper) due() time.Time {
	if k.first.IsZero() || k.busy {
		return time.Time{}
	}
	due := sooner(k.last.Add(settle), k.first.Add(settleMost))
	if due.Before(k.notBefore) {
		return k.notBefore
	}
	return due
}

// stale tells whether what is saved should be marked as current.
func (k *keeper) stale(confirmed time.Time) bool {
	return k.saved && !k.busy && k.first.IsZero() && confirmed.Sub(k.confirmed) >= confirmEvery
}

// begin takes note that what was current at a moment is being saved.
func (k *keeper) begin(confirmed time.Time) {
	k.first, k.last = time.Time{}, time.Time{}
	k.confirmed, k.busy = confirmed, true
}

// end takes note of the outcome. What was not saved is tried again, after a
// while.
func (k *keeper) end(err error, now time.Time) {
	k.busy = false
	if k.saved = k.saved || err == nil; err != nil {
		k.note(now)
		k.notBefore = now.Add(settleMost)
	}
}
