package smartclient

import (
	"sync"
	"sync/atomic"
	"time"
)

// slots divide a budget's window, so it slides by tenths.
const slots = 10

// A budget counts a service's requests and retries over a sliding window. The
// counts are of one process. Every request passes here, so a lock is taken only
// when a slot's turn comes round, ten times in a window.
type budget struct {
	terms Budget
	turns sync.Mutex
	slot  [slots]budgetSlot
}

type budgetSlot struct {
	turn     atomic.Int64
	requests atomic.Int64
	retries  atomic.Int64
}

func newBudget(terms Budget) *budget {
	b := &budget{terms: terms}
	for i := range b.slot {
		b.slot[i].turn.Store(-slots) // of no window
	}
	return b
}

// turnAt numbers the tenths of windows since the transport began.
func (b *budget) turnAt(now time.Duration) int64 { return int64(now * slots / b.terms.Window) }

// at returns the slot of a moment, emptied if its turn has come round again.
func (b *budget) at(turn int64) *budgetSlot {
	s := &b.slot[turn%slots]
	if s.turn.Load() < turn {
		b.begin(s, turn)
	}
	return s
}

// begin empties a slot before it tells its turn: nobody's count is lost.
func (b *budget) begin(s *budgetSlot, turn int64) {
	b.turns.Lock()
	defer b.turns.Unlock()
	if s.turn.Load() >= turn {
		return
	}
	s.requests.Store(0)
	s.retries.Store(0)
	s.turn.Store(turn)
}

// request notes a request that came in.
func (b *budget) request(now time.Duration) { b.at(b.turnAt(now)).requests.Add(1) }

// charge notes retries that nobody asked for permission.
func (b *budget) charge(now time.Duration, n int) {
	if n > 0 {
		b.at(b.turnAt(now)).retries.Add(int64(n))
	}
}

// spend takes one retry, or tells that none is left.
func (b *budget) spend(now time.Duration) bool {
	turn := b.turnAt(now)
	mine := b.at(turn)
	mine.retries.Add(1) // first, so that racing spenders see one another
	requests, retries := b.sum(turn)
	if affordable(b.terms, requests, retries) {
		return true
	}
	mine.retries.Add(-1)
	return false
}

func (b *budget) sum(turn int64) (requests, retries int64) {
	for i := range b.slot {
		if b.slot[i].turn.Load() > turn-slots {
			requests += b.slot[i].requests.Load()
			retries += b.slot[i].retries.Load()
		}
	}
	return requests, retries
}

// affordable tells whether so many retries fit so many requests in a window.
func affordable(terms Budget, requests, retries int64) bool {
	free := terms.MinPerSecond * terms.Window.Seconds()
	return float64(retries) <= terms.Ratio*float64(requests)+free
}
