package atlas

import "time"

const (
	wheelStep  = 100 * time.Millisecond
	wheelSlots = 256
)

// A wheel holds leases by the moment they are due, in steps of 100 ms. A
// heartbeat does not touch it: a lease that turns up and has been renewed
// meanwhile is put back at its new time, so a renewal costs one assignment.
// Times beyond one turn come round early and are put back too.
type wheel struct {
	slots [wheelSlots][]*lease
	tick  int
	at    moment
}

func newWheel(now moment) *wheel { return &wheel{at: now} }

// add holds a lease until due, never less than one step from now.
func (w *wheel) add(l *lease, due moment) {
	steps := min(max(int(due.since(w.at)/wheelStep)+1, 1), wheelSlots-1)
	i := (w.tick + steps) % wheelSlots
	w.slots[i] = append(w.slots[i], l)
}

// advance calls each with the leases of the steps that passed until now; it
// may add them again.
func (w *wheel) advance(now moment, each func(*lease)) {
	for n := 0; now.since(w.at) >= wheelStep && n < wheelSlots; n++ {
		w.at = w.at.add(wheelStep)
		w.tick = (w.tick + 1) % wheelSlots
		due := w.slots[w.tick]
		for _, l := range due {
			each(l)
		}
		// What is added meanwhile comes at least one step later, so the slot
		// can be used again when its turn is next.
		clear(due)
		w.slots[w.tick] = due[:0]
	}
	if now.since(w.at) >= wheelStep {
		w.at = now
	}
}
