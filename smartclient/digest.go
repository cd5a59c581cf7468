package smartclient

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A digest is what is known of the time that a service's answers take,
// whichever instance they come from: a histogram of the last ten to twenty
// seconds. Observing takes no lock; the quantiles are worked out now and then.
type digest struct {
	halves [2]digestHalf
	due    atomic.Int64 // when the quantiles are worked out again
	known  atomic.Pointer[quantiles]
}

const (
	digestWindow = 10 * time.Second
	digestEvery  = 250 * time.Millisecond
	// fewestSamples is below what quantiles are guesses, and not used.
	fewestSamples = 100
)

// A digestHalf is one window's counts. What comes in while another goroutine
// empties it may be lost.
type digestHalf struct {
	turn   atomic.Int64
	counts [digestBuckets]atomic.Uint32
}

// Quantiles of a service's time to response headers; zeros if too little is
// known. p50 and p95 err on the high side by up to a quarter, least on the low.
type quantiles struct {
	at              time.Duration
	least, p50, p95 time.Duration
}

// Four buckets an octave, from a microsecond to two minutes.
const (
	digestFrom    = 10
	digestBuckets = 4 * 27
)

func bucketOf(took time.Duration) int {
	exponent := bits.Len64(uint64(took)) - 1
	if took <= 0 || exponent < digestFrom {
		return 0
	}
	quarter := int(took>>(exponent-2)) & 3
	return min(4*(exponent-digestFrom)+quarter, digestBuckets-1)
}

// bucketFloor is the least duration of a bucket.
func bucketFloor(i int) time.Duration {
	return time.Duration(4+i%4) << (i/4 + digestFrom - 2)
}

func (d *digest) observe(now, took time.Duration) {
	d.half(now).counts[bucketOf(took)].Add(1)
	if due := d.due.Load(); int64(now) >= due && d.due.CompareAndSwap(due, int64(now+digestEvery)) {
		q := d.quantiles(now)
		d.known.Store(&q)
	}
}

// half returns the present window's, emptied if its turn has come round again.
// Turns begin with 1, for zero is nobody's.
func (d *digest) half(now time.Duration) *digestHalf {
	turn := int64(now/digestWindow) + 1
	h := &d.halves[turn%2]
	if old := h.turn.Load(); old < turn && h.turn.CompareAndSwap(old, turn) {
		for i := range h.counts {
			h.counts[i].Store(0)
		}
	}
	return h
}

// latest returns quantiles that are not out of date, else zeros.
func (d *digest) latest(now time.Duration) quantiles {
	if q := d.known.Load(); q != nil && now-q.at < 2*digestWindow {
		return *q
	}
	return quantiles{}
}

func (d *digest) quantiles(now time.Duration) quantiles {
	var counts [digestBuckets]uint64
	turn := int64(now/digestWindow) + 1
	for h := range d.halves {
		if d.halves[h].turn.Load() < turn-1 {
			continue
		}
		for i := range counts {
			counts[i] += uint64(d.halves[h].counts[i].Load())
		}
	}
	return quantilesOf(&counts, now)
}

func quantilesOf(counts *[digestBuckets]uint64, now time.Duration) quantiles {
	q := quantiles{at: now}
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	if total < fewestSamples {
		return q
	}
	sum := uint64(0)
	for i, n := range counts {
		if sum += n; n == 0 {
			continue
		}
		if q.least == 0 {
			q.least = bucketFloor(i)
		}
		if q.p50 == 0 && 2*sum >= total {
			q.p50 = bucketFloor(i + 1)
		}
		if q.p95 == 0 && 20*sum >= 19*total {
			q.p95 = bucketFloor(i + 1)
		}
	}
	return q
}
