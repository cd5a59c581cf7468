// Package clock reads the one clock that all processes of a machine share.
// Wall time may be set while a measurement runs, and a time.Time's monotonic
// reading counts from a moment of its own process.
//
//	began := clock.Now()
//	… another process notes clock.Now() when it has seen the change …
//	took := seen.Sub(began)
package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// An Instant is a reading of CLOCK_MONOTONIC in nanoseconds. Zero is no
// reading.
type Instant int64

// A reading of the clock itself is a system call, which a thousand listeners
// that hear of a thousand changes a second would make a million times. Go reads
// the same clock without one, so a process asks once how the two are apart.
var (
	began  = time.Now()
	origin = read()
)

func read() Instant {
	var ts unix.Timespec
	// The clock exists on every Linux, and the address is valid.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return Instant(ts.Nano())
}

// Now reads the clock. Two processes may be a microsecond apart.
func Now() Instant { return origin + Instant(time.Since(began)) }

// Sub returns the time from earlier to i.
func (i Instant) Sub(earlier Instant) time.Duration { return time.Duration(i - earlier) }
