package smartclient

import (
	"sync/atomic"
	"time"
)

// The terms of ejection for slowness. Choosing by cost avoids a slow instance
// already; ejection also keeps retries away, and probes it less and less.
const (
	// slowsToEject answers in a row must be slow, as with failures, and those
	// over a time that a pause of garbage collection or a disk does not last.
	slowsToEject = 5
	slowFor      = time.Second
	// slowFactor times the service's median is slow, if it is also above its
	// 95th percentile, which keeps a mix of quick and slow requests apart from
	// slow instances; and nobody suffers below leastSlow.
	slowFactor = 4
	leastSlow  = 20 * time.Millisecond
)

// isSlow tells whether an answer was slow as the service's go; zeros are
// quantiles that are not known.
func isSlow(took, p50, p95 time.Duration) bool {
	return p50 > 0 && took > leastSlow && took > slowFactor*p50 && took > p95
}

// A slowness is a count of slow answers in a row, in the upper byte, and the
// moment of the first of them, in milliseconds that wrap after hours.
type slowness struct{ word atomic.Uint32 }

const (
	slowShift  = 24
	slowMoment = 1<<slowShift - 1
)

// next returns what one more answer makes of a slowness, and whether that is
// enough to eject the instance.
func nextSlowness(word uint32, slow bool, now time.Duration) (next uint32, eject bool) {
	moment := millis(now) & slowMoment
	count := word >> slowShift
	switch {
	case !slow:
		return 0, false
	case count == 0:
		return 1<<slowShift | moment, false
	}
	count = min(count+1, slowsToEject)
	lasted := time.Duration((moment-word)&slowMoment) * time.Millisecond
	return count<<slowShift | word&slowMoment, count == slowsToEject && lasted >= slowFor
}

// note counts an answer, and tells whether it is time to eject the instance.
func (s *slowness) note(slow bool, now time.Duration) bool {
	for {
		word := s.word.Load()
		next, eject := nextSlowness(word, slow, now)
		if next == word || s.word.CompareAndSwap(word, next) {
			return eject
		}
	}
}
