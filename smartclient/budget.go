package smartclient

import "time"

// A budget is a tally in which retries are marked.
type budget struct {
	terms Budget
	tally
}

func newBudget(terms Budget) *budget {
	b := &budget{terms: terms}
	b.start(terms.Window)
	return b
}

// charge notes retries that nobody asked for permission.
func (b *budget) charge(now time.Duration, n int) {
	if n > 0 {
		b.at(b.turnAt(now)).marked.Add(int64(n))
	}
}

// spend takes one retry, or tells that none is left.
func (b *budget) spend(now time.Duration) bool {
	turn := b.turnAt(now)
	mine := b.at(turn)
	mine.marked.Add(1)                  // first, so that racing spenders see one another
	requests, retries := b.sum(turn, 1) // so that the bound holds of every whole window
	if affordable(b.terms, requests, retries+b.terms.reserve()) {
		return true
	}
	mine.marked.Add(-1)
	return false
}

// affordable tells whether so many retries fit so many requests in a window.
func affordable(terms Budget, requests, retries int64) bool {
	return float64(retries) <= terms.Ratio*float64(requests)+terms.free()
}

// free is how many retries a window may have whatever the load.
func (b Budget) free() float64 { return b.MinPerSecond * b.Window.Seconds() }

// reserve is what retries leave of the free ones for what is sent again by
// itself: that is charged, but cannot be refused, and the bound is meant for
// both together.
func (b Budget) reserve() int64 { return int64(b.free() / 10) }
