package atlas

import "time"

const (
	wheelStep  = 100 * time.Millisecond
	wheelSlots = 256
)

// A wheel holds leases by the moment they are due, in steps of 100 ms. A
// heartbeat does not touch it: a lease that turns up and has been renewed
// meanwhile is put back at its new time, so a renewal costs one assignment.
// Times beyond one turn come round early and are put back too. Each lease knows
// the next of its step, and is on the wheel once: lists of their own had room for
// the most that ever fell on a step.
type wheel struct {
	slots [wheelSlots]*lease // the first of each step
	tick  int
	at    moment
}

func newWheel(now moment) *wheel { return &wheel{at: now} }

// add holds a lease until due, never less than one step from now.
func (w *wheel) add(l *lease, due moment) {
	steps := min(max(int(due.since(w.at)/wheelStep)+1, 1), wheelSlots-1)
	i := (w.tick + steps) % wheelSlots
	l.next, w.slots[i] = w.slots[i], l
}

// advance calls each with the leases of the steps that passed until now; it
// may add them again.
func (w *wheel) advance(now moment, each func(*lease)) {
	for n := 0; now.since(w.at) >= wheelStep && n < wheelSlots; n++ {
		w.at = w.at.add(wheelStep)
		w.tick = (w.tick + 1) % wheelSlots
		// What is added meanwhile comes at least one step later.
		due := w.slots[w.tick]
		w.slots[w.tick] = nil
		for due != nil {
			l := due
			due, l.next = l.next, nil
			each(l)
		}
	}
	if now.since(w.at) >= wheelStep {
		w.at = now
	}
}
