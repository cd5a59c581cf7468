package smartclient

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// The terms of ejection: five failures in a row, as in Envoy and Finagle; away
// for 5 s, then 10 s and so on up to 300 s while it does not recover.
const (
	failsToEject = 5
	ejectFor     = 5 * time.Second
	mostEjectFor = 300 * time.Second
	// probeFor is how long others wait for the verdict of the one request
	// that may try an ejected instance.
	probeFor = 5 * time.Second
)

// ejected is a client's own, passing decision not to use an instance.
type ejected struct {
	until   atomic.Int64 // nanoseconds since the transport began; 0: not ejected
	times   atomic.Int32 // in a row
	probing atomic.Bool  // a probe was let through since the last ejection
}

// allows tells whether the instance takes requests; probe tells that it takes
// one only, of the request that claims it.
func (e *ejected) allows(now time.Duration) (ok, probe bool) {
	until := e.until.Load()
	return until <= int64(now), until != 0
}

// claim takes the right to probe. Whoever loses the race uses another instance.
func (e *ejected) claim(now time.Duration) bool {
	until := e.until.Load()
	if until == 0 || until > int64(now) || !e.until.CompareAndSwap(until, int64(now+probeFor)) {
		return false
	}
	e.probing.Store(true)
	return true
}

// away tells whether the instance is ejected, a probe under way or not.
func (e *ejected) away() bool { return e.until.Load() != 0 }

// recovered takes the instance back.
func (e *ejected) recovered() bool {
	e.times.Store(0)
	e.probing.Store(false)
	return e.until.Swap(0) != 0
}

// mayEject decides whether one more of a service's instances may be ejected:
// at most half of them, hence never the last.
func mayEject(awayAlready, instances int) bool { return 2*(awayAlready+1) <= instances }

// ejection returns how long the n-th ejection in a row lasts, n from 1. roll is
// uniform in [0, 1); it takes off up to a tenth, so that clients which ejected
// together do not come back together.
func ejection(n int32, roll float64) time.Duration {
	most := min(time.Duration(n)*ejectFor, mostEjectFor)
	return most - time.Duration(roll*float64(most/10))
}

func (e *ejected) eject(now time.Duration) time.Duration {
	d := ejection(e.times.Add(1), rand.Float64())
	e.probing.Store(false)
	e.until.Store(int64(now + d))
	return d
}
