package atlas

import (
	"testing"
	"time"
)

// A paced run is what became of changes that came at certain moments.
type pacedRun struct {
	messages int
	longest  time.Duration // that a change waited
	atOnce   int           // changes that waited for nothing
}

// runPaced sends n changes, some together each time, by the rules of a fanout.
func runPaced(n, together int, every time.Duration) (r pacedRun) {
	var p pace
	began := time.Unix(0, 0)
	var waiting []time.Time
	send := func(now time.Time) {
		p.spend(now, len(waiting))
		r.messages++
		r.longest = max(r.longest, now.Sub(waiting[0]))
		waiting = nil
	}
	for i := range n {
		now := began.Add(time.Duration(i/together) * every)
		if len(waiting) > 0 && !now.Before(p.next) {
			send(p.next)
		}
		waiting = append(waiting, now)
		if !now.Before(p.next) {
			r.atOnce++
			send(now)
		}
	}
	if len(waiting) > 0 {
		send(later(p.next, waiting[len(waiting)-1]))
	}
	return r
}

func TestPace(t *testing.T) {
	cases := []struct {
		name             string
		n, together      int
		every            time.Duration
		messages, atOnce int // at most, at least
		longest          time.Duration
	}{
		{"one", 1, 1, time.Second, 1, 1, 0},
		{"one at a time", 100, 1, 55 * time.Millisecond, 100, 100, 0},
		{"a few in a row", 4, 1, 6 * time.Millisecond, 4, 4, 0},
		{"two hundred at a time", 200, 200, time.Second, 2, 1, gapLeast},
		{"for two seconds ten every 30 ms", 660, 10, 30 * time.Millisecond, 30, 1, gapMany},
		{"for two seconds one every ms", 2000, 1, time.Millisecond, 16, 1, gapMost},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := runPaced(c.n, c.together, c.every)
			if got.messages > c.messages || got.longest > c.longest || got.atOnce < c.atOnce {
				t.Errorf("%+v, expected at most %d messages, nobody to wait longer than %v, %d at once", got, c.messages, c.longest, c.atOnce)
			}
		})
	}
}

// TestAFloodLeavesNoDebt: messages that are full go at once, and what comes
// after them waits no longer than anything else.
func TestAFloodLeavesNoDebt(t *testing.T) {
	var p pace
	now := time.Unix(0, 0)
	for range 100 {
		p.spend(now, changesAtMost)
	}
	if wait := p.next.Sub(now); wait != gapMost {
		t.Errorf("the next message waits for %v, expected %v", wait, gapMost)
	}
}
