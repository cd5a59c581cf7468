package acceptance

import (
	"testing"
	"time"
)

// pace is how often a condition is looked at. Most looks start a process.
const pace = 30 * time.Millisecond

// within waits until ok says yes and returns how long that took. It fails the
// test when it takes longer than the limit.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		<-tick.C
	}
	return time.Since(began)
}

// by is within with a point in time for a limit.
func by(t *testing.T, deadline time.Time, what string, ok func() bool) {
	t.Helper()
	within(t, time.Until(deadline), what, ok)
}

// holds looks again and again for as long as it is told, and fails the test
// when ok ever says no.
func holds(t *testing.T, span, every time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < span; <-tick.C {
		if !ok() {
			t.Fatalf("only for %s: %s", time.Since(began).Round(time.Millisecond), what)
		}
	}
}
