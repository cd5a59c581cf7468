package attend

import (
	"time"

	"fairlead.dev/registry"
)

// A finding is the result of one check. The reason says why it is not passing.
type finding struct {
	status registry.Status
	reason string
}

func passing() finding { return finding{status: registry.Passing} }

func critical(reason string) finding {
	return finding{status: registry.Critical, reason: reason}
}

func (f finding) good() bool { return f.status != registry.Critical }

// A verdict is what the findings so far amount to. The zero value is that of a
// program nobody has checked yet, which counts as critical.
type verdict struct {
	finding
	// run counts the findings in a row that speak against the verdict.
	run int
	// checks counts all of them until the first good verdict; risen is set
	// from then on.
	checks int
	risen  bool
}

// after returns the verdict once another finding is in. A healthy instance
// that is only warned of stays healthy at once, and the other way round: rise
// and fall are for the change between good and critical.
func (v verdict) after(f finding, c Check) verdict {
	if !v.risen {
		v.checks++
	}
	if v.healthy() == f.good() {
		v.finding, v.run = f, 0
		return v
	}
	v.run++
	if v.run < c.needed(f) {
		return v
	}
	return verdict{finding: f, risen: v.risen || f.good(), checks: v.checks}
}

func (v verdict) healthy() bool { return v.status != "" && v.good() }

func (c Check) needed(f finding) int {
	if f.good() {
		return c.Rise
	}
	return c.Fall
}

// firstPause is the wait after the first check of a program that is starting.
const firstPause = 20 * time.Millisecond

// pause returns how long to wait for the next check. While a program starts
// the pauses double, from little to the interval: a quick one is in use at
// once, and a slow one is not bothered.
func (v verdict) pause(c Check) time.Duration {
	if v.risen || v.checks > 20 {
		return c.Interval
	}
	return min(firstPause<<max(v.checks-1, 0), c.Interval)
}
