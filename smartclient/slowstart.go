package smartclient

import "time"

const (
	// slowStart is how long a new life's share grows: caches, pools and
	// compilers warm up, and a burst of all clients at once meets it cold.
	slowStart = 10 * time.Second
	// leastShare is where it begins, as in Envoy: with less it would learn
	// nothing.
	leastShare = 0.1
)

// shareOf returns the share of its weight that a new life has while so much of
// its slow start is left.
func shareOf(left time.Duration) float32 {
	return max(1-float32(left)/float32(slowStart), leastShare)
}

// heldBack decides by a uniform roll in [0, 1<<32) whether a draw that fell on
// the instance is given to another one.
func (l *load) heldBack(now time.Duration, roll uint32) bool {
	return l.ramp > now && float32(roll) >= shareOf(l.ramp-now)*(1<<32)
}
