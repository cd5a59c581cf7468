// Package clock reads the one clock that all processes of a machine share.
// Wall time may be set while a measurement runs, and a time.Time's monotonic
// reading means nothing in another process.
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

// Now reads the clock.
func Now() Instant {
	var ts unix.Timespec
	// The clock exists on every Linux, and the address is valid.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return Instant(ts.Nano())
}

// Sub returns the time from earlier to i.
func (i Instant) Sub(earlier Instant) time.Duration { return time.Duration(i - earlier) }
