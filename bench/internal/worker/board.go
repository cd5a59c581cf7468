package worker

import (
	"sync/atomic"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/systems"
)

// An expectation is a state that every listener is to reach, and when each
// did.
type expectation struct {
	state systems.State
	times []atomic.Int64
	left  atomic.Int64
	done  chan struct{}
}

func newExpectation(state systems.State, listeners int) *expectation {
	e := &expectation{state: state, times: make([]atomic.Int64, listeners), done: make(chan struct{})}
	e.left.Store(int64(listeners))
	return e
}

func (e *expectation) heard(listener int, state systems.State, now clock.Instant) {
	if state != e.state || !e.times[listener].CompareAndSwap(0, int64(now)) {
		return
	}
	if e.left.Add(-1) == 0 {
		close(e.done)
	}
}

// instants returns when each listener reached the state; zero is never.
func (e *expectation) instants() []clock.Instant {
	all := make([]clock.Instant, len(e.times))
	for i := range e.times {
		all[i] = clock.Instant(e.times[i].Load())
	}
	return all
}

// A board notes what listeners hear. Listeners only read an immutable map.
type board struct {
	expected atomic.Pointer[map[systems.Key]*expectation]
	latest   []atomic.Int64 // of each listener's table, by listener
}

func newBoard() *board {
	b := &board{}
	b.expected.Store(&map[systems.Key]*expectation{})
	return b
}

// grow makes room for more listeners; nobody listens meanwhile.
func (b *board) grow(listeners int) { b.latest = make([]atomic.Int64, listeners) }

// expect replaces what is expected.
func (b *board) expect(all map[systems.Key]systems.State) {
	next := make(map[systems.Key]*expectation, len(all))
	for k, state := range all {
		next[k] = newExpectation(state, len(b.latest))
	}
	b.expected.Store(&next)
}

func (b *board) of(k systems.Key) *expectation { return (*b.expected.Load())[k] }

// hearer returns what one listener calls after each change of its table.
func (b *board) hearer(listener int) systems.Heard {
	return func(k systems.Key, state systems.State) {
		now := clock.Now()
		b.latest[listener].Store(int64(now))
		if e := b.of(k); e != nil {
			e.heard(listener, state, now)
		}
	}
}

// last returns when any table changed last.
func (b *board) last() clock.Instant {
	var last int64
	for i := range b.latest {
		last = max(last, b.latest[i].Load())
	}
	return clock.Instant(last)
}
