package smartclient

import (
	"sync/atomic"
	"time"
)

// An instance that always loses the comparison is never heard again, and its
// cost fades only slowly: one slow answer would starve it for a quarter of a
// minute. So it gets single requests to show what it has become: one after a
// second without any, and after each that brought no good news the next twice
// as late. A good answer counts in place of all that was before.
const (
	firstRecheck = time.Second
	mostRecheck  = 16 * time.Second
	// outdone is how many times the better one's cost makes an instance lose
	// for good, rather than now and then.
	outdone = 2
)

// recheckAfter returns how long an instance is left alone after so many
// rechecks in a row without good news.
func recheckAfter(level uint32) time.Duration {
	return min(firstRecheck<<min(level, 4), mostRecheck)
}

// A recheck is when the last one was (milliseconds), and how many there were
// since the last good news. Both share a word, so they change together.
type recheck struct{ word atomic.Uint64 }

func (r *recheck) load() (word uint64, ms, level uint32) {
	word = r.word.Load()
	return word, uint32(word >> 32), uint32(word)
}

// pending tells that good news are waited for.
func (r *recheck) pending() bool { return uint32(r.word.Load()) != 0 }

func (r *recheck) done() { r.word.Store(0) }

// rechecked tells whether the instance shall have a request though it lost,
// and claims it for the caller.
func (l *load) rechecked(now time.Duration) bool {
	word, last, level := l.recheck.load()
	after := uint32(recheckAfter(level) / time.Millisecond)
	_, heard := unpackLatency(l.latency.word.Load())
	if elapsed(heard, millis(now)) < after || level > 0 && elapsed(last, millis(now)) < after {
		return false
	}
	return l.inFlight.Load() == 0 && l.recheck.word.CompareAndSwap(word, uint64(millis(now))<<32|uint64(level+1))
}

// observe takes the time to an answer's headers into account.
func (l *load) observe(now, took time.Duration) {
	if l.recheck.pending() && float32(took) < l.latency.at(millis(now)) {
		l.latency.replace(now, took)
		l.recheck.done()
		return
	}
	l.latency.observe(now, took)
}

// waited takes into account that there was no answer for so long, though
// nobody waits for it any more: it is slower than that.
func (l *load) waited(now, took time.Duration) {
	if float32(took) > l.latency.at(millis(now)) {
		l.latency.observe(now, took)
	}
}
