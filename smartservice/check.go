package smartservice

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Outcome is a health status in the words of the health+json draft.
type Outcome string

// From best to worst.
const (
	Pass Outcome = "pass"
	Warn Outcome = "warn"
	Fail Outcome = "fail"
)

// worst returns the worse of two outcomes.
func worst(a, b Outcome) Outcome {
	switch {
	case a == Fail || b == Fail:
		return Fail
	case a == Warn || b == Warn:
		return Warn
	}
	return Pass
}

const (
	defaultCheckEvery = 2 * time.Second
	checkTimeout      = 2 * time.Second
)

// A CheckOption changes how one check is run or judged.
type CheckOption func(*check)

// WarnOnly makes a failing check a warning: the service stays ready, and
// callers prefer instances without one.
func WarnOnly() CheckOption { return func(c *check) { c.severity = Warn } }

// Every sets how often a check runs, once a millisecond at most; the default is
// every 2 s.
func Every(interval time.Duration) CheckOption {
	return func(c *check) { c.every = max(interval, time.Millisecond) }
}

// A check is one part of a service's health, run again and again by a
// goroutine of its own. Probes read the last result, so nobody can load a
// database by asking for the service's health.
type check struct {
	name     string
	run      func(context.Context) error
	severity Outcome
	every    time.Duration

	ran chan struct{} // closed when it has run once

	mu     sync.Mutex
	result result
}

func newCheck(name string, run func(context.Context) error, opts []CheckOption) *check {
	c := &check{name: name, run: run, severity: Fail, every: defaultCheckEvery, ran: make(chan struct{})}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// A result is what is known of a check. While a run is under way began is
// set, and the fields below it are of the run before.
type result struct {
	began    time.Time
	finished time.Time
	took     time.Duration
	err      error
}

// A verdict is a result judged at some moment.
type verdict struct {
	outcome Outcome
	output  string
	at      time.Time
	took    time.Duration
}

// judge decides what a result means. A check that has not finished once fails,
// as nothing is known yet, and so does one that does not come back: no timeout
// can make a function return that does not heed its context.
func (r result) judge(severity Outcome, now time.Time) verdict {
	v := verdict{outcome: Pass, at: r.finished, took: r.took}
	switch {
	case !r.began.IsZero() && now.Sub(r.began) > checkTimeout:
		v.outcome, v.output = severity, fmt.Sprintf("no answer for %s", now.Sub(r.began).Round(time.Second))
	case r.finished.IsZero():
		v.outcome, v.output = severity, "has not run yet"
	case r.err != nil:
		v.outcome, v.output = severity, r.err.Error()
	}
	return v
}

func (c *check) verdict(now time.Time) verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result.judge(c.severity, now)
}

// keepRunning runs the check now and at every interval until ctx ends, and
// calls changed after each run whose outcome differs from the one before.
func (c *check) keepRunning(ctx context.Context, changed func()) {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	c.runOnce(ctx)
	close(c.ran)
	for last := c.verdict(time.Now()).outcome; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c.runOnce(ctx)
		if now := c.verdict(time.Now()).outcome; now != last {
			last = now
			changed()
		}
	}
}

func (c *check) runOnce(ctx context.Context) {
	began := time.Now()
	c.mu.Lock()
	c.result.began = began
	c.mu.Unlock()
	err := c.call(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.result = result{finished: time.Now(), took: time.Since(began), err: err}
}

// call turns a panic of the user's check into its failure.
func (c *check) call(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.run(ctx)
}
