package atlas

import "time"

// A message costs the bus and whoever listens nearly the same, whatever is in
// it, so a service may send so many a second, and several in a row after a rest:
// a change that is alone waits for nobody, and changes that keep coming, be it
// in bursts, travel together.
const (
	// gapLeast is between any two messages.
	gapLeast = 5 * time.Millisecond
	// gapChange is what each change of a message costs, gapMost what a message
	// costs at most, and thus the longest that a change waits.
	gapChange = 50 * time.Millisecond
	gapMost   = 100 * time.Millisecond
	// gapCredit is how much of that a service is given in advance.
	gapCredit = 200 * time.Millisecond
)

// A pace tells when the next message of a service may go. The zero value lets
// it go at once.
type pace struct {
	next time.Time
	rest time.Time // when all that was sent is paid for
}

// spend takes note of a message.
func (p *pace) spend(now time.Time, changes int) {
	p.rest = later(p.rest, now).Add(min(time.Duration(changes)*gapChange, gapMost))
	p.next = later(now.Add(gapLeast), p.rest.Add(-gapCredit))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
