package smartclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// timeoutSaid returns what the caller says of the time that a call may take,
// in the client's options or in the request's header, whichever is less; 0 if
// it says nothing, negative if it wants no bound.
func timeoutSaid(option, asked time.Duration, hasAsked bool) time.Duration {
	switch {
	case !hasAsked:
		return option
	case option > 0:
		return min(option, max(asked, noTime))
	}
	return max(asked, noTime)
}

// noTime stands for a time that is over, where zero says nothing.
const noTime = time.Nanosecond

// bound ends the call's context when its time is over.
func (c *call) bound(timeout time.Duration) {
	switch {
	case timeout == noTime:
		c.ctx, c.cancel = context.WithTimeout(c.ctx, 0)
	case timeout > 0:
		c.ctx, c.cancel = context.WithTimeout(c.ctx, timeout-(c.t.now()-c.began))
	}
}

// ended returns why the call's context ended, nil if it did not. Of a caller
// who set no bound nobody can expect to know that there is one.
func (c *call) ended() error {
	err := c.ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) && c.byPolicy && c.req.Context().Err() == nil {
		return policyTimeout(c.view.terms.timeout)
	}
	return err
}

// lapsed takes a 504 for what it is when the call's time is over: an instance
// gave up because its caller would. Who set a deadline expects the context's
// error, and the instance is none the worse for it. A proxy passes on what came.
func (c *call) lapsed(r sent) sent {
	if r.err != nil || c.t.options.Retry == RetryUnsent || !c.gaveUpWith(r.resp.StatusCode) {
		return r
	}
	discard(r.attempt.watch(r.resp))
	return sent{attempt: r.attempt, err: context.DeadlineExceeded}
}

// gaveUpWith tells whether a status says no more than that the call's time is
// over, which is so.
func (c *call) gaveUpWith(status int) bool {
	if status != http.StatusGatewayTimeout {
		return false
	}
	deadline, ok := c.ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// A policyTimeout says that a call took longer than the service's policy lets
// callers wait who say nothing of it themselves.
type policyTimeout time.Duration

func (t policyTimeout) Error() string {
	return "the service's policy gives a call " + time.Duration(t).String()
}

func (policyTimeout) Unwrap() error { return context.DeadlineExceeded }

// lasting tells whether an answer is meant to last longer than any policy of a
// whole service can mean: an upgrade, or server-sent events.
func lasting(h http.Header) bool {
	return len(h["Upgrade"]) > 0 || strings.Contains(first(h, "Accept"), "text/event-stream")
}

// inTime refuses an attempt that cannot end before the call does: the time is
// over, or less than the service's quickest answer took of late.
func (c *call) inTime(now time.Duration) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	deadline, ok := c.ctx.Deadline()
	if ok && time.Until(deadline) < c.balancer.digest.latest(now).least {
		return ErrNoTime
	}
	return nil
}

// release frees what the call took, once, when it is over.
func (c *call) release() {
	if c.admitted {
		c.admitted = false
		c.balancer.admission.leave()
	}
	if c.cancel != nil {
		c.cancel()
	}
}
