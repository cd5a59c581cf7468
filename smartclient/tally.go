package smartclient

import (
	"sync"
	"sync/atomic"
	"time"
)

// slots divide a tally's window, so it slides by tenths. One more is kept, for
// the window's beginning lies within a slot.
const (
	slots = 10
	kept  = slots + 1
)

// A tally counts a service's requests, and those among them or beside them that
// somebody marked, over a sliding window. The counts are of one process. Every
// request passes here, so a lock is taken only when a slot's turn comes round,
// ten times in a window.
type tally struct {
	window time.Duration
	turns  sync.Mutex
	slot   [kept]tallySlot
}

type tallySlot struct {
	turn     atomic.Int64
	requests atomic.Int64
	marked   atomic.Int64
}

// start makes a tally of no window one of its own.
func (t *tally) start(window time.Duration) {
	t.window = window
	for i := range t.slot {
		t.slot[i].turn.Store(-kept)
	}
}

// turnAt numbers the tenths of windows since the transport began.
func (t *tally) turnAt(now time.Duration) int64 { return int64(now * slots / t.window) }

// at returns the slot of a moment, emptied if its turn has come round again.
func (t *tally) at(turn int64) *tallySlot {
	s := &t.slot[turn%kept]
	if s.turn.Load() < turn {
		t.begin(s, turn)
	}
	return s
}

// begin empties a slot before it tells its turn: nobody's count is lost.
func (t *tally) begin(s *tallySlot, turn int64) {
	t.turns.Lock()
	defer t.turns.Unlock()
	if s.turn.Load() >= turn {
		return
	}
	s.requests.Store(0)
	s.marked.Store(0)
	s.turn.Store(turn)
}

// request notes a request that came in.
func (t *tally) request(now time.Duration) { t.at(t.turnAt(now)).requests.Add(1) }

// sum adds up the window that ends with a turn: the requests of its tenths, and
// of the marks also those of so many tenths before, for who must not count too
// few of them.
func (t *tally) sum(turn, before int64) (requests, marked int64) {
	for i := range t.slot {
		age := turn - t.slot[i].turn.Load()
		if age < slots {
			requests += t.slot[i].requests.Load()
		}
		if age < slots+before {
			marked += t.slot[i].marked.Load()
		}
	}
	return requests, marked
}
