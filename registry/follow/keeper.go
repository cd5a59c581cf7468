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

// A mark tells one content from another.
type mark struct {
	epoch string
	hash  uint64
}

// A keeper decides when an interest is to be saved. It does no I/O.
type keeper struct {
	first, last time.Time // changes that are not saved
	saved       *mark     // what is in the cache, of this process or one before
	saving      *mark
	confirmed   time.Time // as saved
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
	if k.first.IsZero() || k.saving != nil {
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
	return k.saved != nil && k.saving == nil && k.first.IsZero() && confirmed.Sub(k.confirmed) >= confirmEvery
}

// isSaved forgets the changes that came to nothing.
func (k *keeper) isSaved(m mark) bool {
	same := k.saved != nil && *k.saved == m
	if same {
		k.first, k.last = time.Time{}, time.Time{}
	}
	return same
}

// begin takes note that what was current at a moment is being saved.
func (k *keeper) begin(m mark, confirmed time.Time) {
	k.first, k.last = time.Time{}, time.Time{}
	k.confirmed, k.saving = confirmed, &m
}

// end takes note of the outcome. What was not saved is tried again, after a
// while.
func (k *keeper) end(err error, now time.Time) {
	if err == nil {
		k.saved, k.saving = k.saving, nil
		return
	}
	k.saved, k.saving = nil, nil
	k.note(now)
	k.notBefore = now.Add(settleMost)
}
