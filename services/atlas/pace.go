package atlas

import "time"

// A message costs the bus and whoever listens nearly the same, whatever is in
// it, so a service may send so many a second, and several in a row after a rest:
// a change that is alone waits for nobody, and changes that keep coming, be it
// in bursts, travel together.
const (
	// gapLeast is between any two messages.
	gapLeast = 5 * time.Millisecond
	// gapChange is what each change of a message costs, gapMany what a message
	// of several costs.
	gapChange = 50 * time.Millisecond
	gapMany   = 100 * time.Millisecond
	// gapStorm is what each change costs where there are more than 500 a second,
	// and gapMost what a message costs at most, and thus the longest that a
	// change waits.
	gapStorm = 2 * time.Millisecond
	gapMost  = 200 * time.Millisecond
	// gapCredit is how much of that a service is given in advance.
	gapCredit = 200 * time.Millisecond
)

// A pace tells when the next message of a service may go. The zero value lets
// it go at once.
type pace struct {
	next time.Time
	rest time.Time // when all that was sent is paid for
}

// spend takes note of a message. No debt is so large that a change waits for
// longer than gapMost.
func (p *pace) spend(now time.Time, changes int) {
	paid := later(p.rest, now).Add(costOf(changes))
	if most := now.Add(gapCredit + gapMost); paid.After(most) {
		paid = most
	}
	p.rest = paid
	p.next = later(now.Add(gapLeast), paid.Add(-gapCredit))
}

// costOf is what a message costs.
func costOf(changes int) time.Duration {
	return max(min(time.Duration(changes)*gapChange, gapMany), min(time.Duration(changes)*gapStorm, gapMost))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
