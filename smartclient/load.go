package smartclient

import (
	"math"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/registry"
)

// A load is what this client has learned of one life of one instance. It
// outlives the views of a service as long as the instance does. All of it is
// atomic; it fills one cache line of its own.
type load struct {
	latency  latency
	inFlight atomic.Int64
	fails    atomic.Int32 // attempts that failed, one after the other
	slow     slowness
	ejected  ejected
	recheck  recheck
	ramp     time.Duration // until when it starts slowly
	told     atomic.Pointer[told]
}

// What is told of an instance again and again is made once, on first use.
type told struct {
	span   atomic.Pointer[trace.SpanStartOption]
	points atomic.Pointer[points]
}

func (l *load) toldOf() *told {
	if known := l.told.Load(); known != nil {
		return known
	}
	l.told.CompareAndSwap(nil, &told{})
	return l.told.Load()
}

func (t *told) pointsOf(realm string, in *registry.Instance) *points {
	if known := t.points.Load(); known != nil {
		return known
	}
	t.points.CompareAndSwap(nil, &points{realm: realm, service: in.Service, instance: in.ID})
	return t.points.Load()
}

// failing tells whether it failed so often that it deserves to be ejected.
func (l *load) failing() bool { return l.fails.Load() >= failsToEject }

// plain tells that nothing but its cost speaks for or against it: it is neither
// ejected nor about to be, and has started.
func (l *load) plain(now time.Duration) bool {
	return l.ramp <= now && !l.failing() && !l.ejected.away()
}

// A latency is an average that follows a peak at once and forgets it by and
// by, so an instance that turned slow is avoided after one slow answer.
//
// Cost (float32 bits) and moment (milliseconds) share a word, so they change
// together.
type latency struct{ word atomic.Uint64 }

// halfLife is the time in which the average forgets half. Finagle takes seven
// seconds; then one pause of a fast instance weighs as much as a slow
// instance's nature for most of a minute.
const halfLife = 2 * time.Second

func packLatency(cost float32, ms uint32) uint64 {
	return uint64(math.Float32bits(cost))<<32 | uint64(ms)
}

func unpackLatency(word uint64) (cost float32, ms uint32) {
	return math.Float32frombits(uint32(word >> 32)), uint32(word)
}

func millis(now time.Duration) uint32 { return uint32(now / time.Millisecond) }

// remains approximates what is left after so many milliseconds, from above:
// halves are exact, and between them it is a straight line. That is what a
// float's bits mean, and picking pays it twice.
func remains(age uint32) float32 {
	const one, mantissa, half = 127, 23, uint64(halfLife / time.Millisecond)
	halves := uint64(age) << mantissa / half
	if halves >= one<<mantissa {
		return 0
	}
	return math.Float32frombits(one<<mantissa - uint32(halves))
}

// at returns the average in nanoseconds as of a millisecond, 0 if nothing was
// seen yet. It shrinks while nothing is heard, so a slow instance is tried again.
func (l *latency) at(ms uint32) float32 {
	cost, heard := unpackLatency(l.word.Load())
	return cost * remains(elapsed(heard, ms))
}

// elapsed is zero if another goroutine was later than this one.
func elapsed(from, to uint32) uint32 {
	if d := to - from; d < math.MaxInt32 {
		return d
	}
	return 0
}

// observe takes one attempt's time to its response headers into account.
func (l *latency) observe(now, took time.Duration) {
	l.update(now, took, average)
}

// replace forgets what was before, if the news are better.
func (l *latency) replace(now, took time.Duration) {
	l.update(now, took, func(_, sample float32, _ uint32) float32 { return sample })
}

func (l *latency) update(now, took time.Duration, fold func(old, sample float32, age uint32) float32) {
	for {
		old := l.word.Load()
		cost, ms := unpackLatency(old)
		next := fold(cost, float32(max(took, 1)), elapsed(ms, millis(now)))
		if l.word.CompareAndSwap(old, packLatency(next, millis(now))) {
			return
		}
	}
}

// average folds a sample into an average that is so many milliseconds old.
func average(old, sample float32, age uint32) float32 {
	// Samples that come together must count too: a millisecond at least.
	keep := remains(max(age, 1))
	if decayed := old * keep; sample < decayed {
		return decayed + sample*(1-keep)
	}
	return sample
}

// unknownCost stands for the latency of an instance that has not answered yet,
// but failed or is busy with its first request: nobody else should bet on it.
const unknownCost = float32(time.Hour)

// cost is what a new request is expected to pay here: the latency, times the
// requests in flight in relation to the weight, times what recent failures
// make of it. share is the reciprocal of the instance's relative weight; the
// moment is in milliseconds, for two costs are worked out for each pick.
func (l *load) cost(ms uint32, share float32) float32 {
	queue := float32(l.inFlight.Load()) * share
	// More failures than eject an instance say no more than those do, and must
	// not outweigh for hours how quickly it answers since.
	fails := float32(min(l.fails.Load(), failsToEject))
	cost := l.latency.at(ms)
	if cost == 0 && (queue > 0 || fails > 0) {
		cost = unknownCost
	}
	return cost * (1 + queue) * (1 + fails*fails)
}
