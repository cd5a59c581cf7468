package atlas

import "time"

const (
	wheelStep  = 100 * time.Millisecond
	wheelSlots = 256
)

// A wheel holds leases by the time they are due, in steps of 100 ms. A
// heartbeat does not touch it: a lease that turns up and has been renewed
// meanwhile is put back at its new time, so a renewal costs one assignment.
// Times beyond one turn come round early and are put back too.
type wheel struct {
	slots [wheelSlots][]*lease
	tick  int
	at    time.Time
}

func newWheel(now time.Time) *wheel { return &wheel{at: now} }

// add holds a lease until due, never less than one step from now.
func (w *wheel) add(l *lease, due time.Time) {
	l.due = due
	steps := min(max(int(due.Sub(w.at)/wheelStep)+1, 1), wheelSlots-1)
	i := (w.tick + steps) % wheelSlots
	w.slots[i] = append(w.slots[i], l)
}

// advance returns the leases of the steps that passed until now.
func (w *wheel) advance(now time.Time) []*lease {
	var due []*lease
	for n := 0; now.Sub(w.at) >= wheelStep && n < wheelSlots; n++ {
		w.at = w.at.Add(wheelStep)
		w.tick = (w.tick + 1) % wheelSlots
		due = append(due, w.slots[w.tick]...)
		w.slots[w.tick] = nil
	}
	if now.Sub(w.at) >= wheelStep {
		w.at = now
	}
	return due
}
