package follow

import (
	"math/rand/v2"
	"time"
)

const (
	// massSpread is over how long followers spread their requests when all of
	// them have the same reason: a reconnect, a new epoch, a digest.
	massSpread = 250 * time.Millisecond

	backoffLeast = 50 * time.Millisecond
	backoffMost  = 2 * time.Second

	// calm is how long a feed has to go without a resync until the next one
	// is asked for without delay.
	calm = 5 * time.Second

	// silence is how long a feed goes without a digest before it asks by
	// itself. A registry that does not know a service sends none for it.
	silence = 15 * time.Second

	// behindFor is for how long digests have to be older than the table until
	// they are believed: longer than a leading node that is cut off tells any.
	// Where there is one node only, two digests are enough.
	behindFor = 6 * time.Second

	// olderFor is for how long snapshots have to be older than the table until
	// one is believed, unless digests say the same: longer than a node that was
	// cut off takes to catch up.
	olderFor = 10 * time.Second

	snapshotTimeout = 5 * time.Second
	// The backlog holds messages heard while a snapshot is under way.
	backlogMost = 4096
)

func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// backoff returns a delay between half and all of a step that doubles.
func backoff(times int) time.Duration {
	step := min(backoffLeast<<min(max(times-1, 0), 10), backoffMost)
	return step/2 + rand.N(step/2)
}
