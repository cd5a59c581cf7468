package smartclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/smartclient/internal/h1"
)

// An attempt is one try to send a call to one endpoint. It lasts until the
// answer's body has been read or closed.
type attempt struct {
	call   *call
	at     *endpoint
	number int // from 1
	began  time.Duration
	status int

	course  h1.Course
	reached bool    // there was a connection
	early   *ending // nil if it ends no earlier than the call
	ctx     context.Context
	span    trace.Span
	over    atomic.Bool
	final   bool // its answer is the caller's, and the call ends with it

	// What goes out and comes back is part of the attempt, for each by itself
	// would be an allocation.
	out  http.Request
	url  url.URL
	left [1]string // the value of HeaderTimeout
	body answerBody
}

// An ending is what may end an attempt before its call.
type ending struct {
	parent context.Context         // of a race; nil: the call's
	stop   context.CancelCauseFunc // of parent
	cancel context.CancelCauseFunc // nil without an attempt timeout
	timer  *time.Timer
}

// ending returns the attempt's own, for which there must be a reason.
func (a *attempt) ending() *ending {
	if a.early == nil {
		a.early = new(ending)
	}
	return a.early
}

// send sends the call and waits for the answer's headers.
func (a *attempt) send(body io.ReadCloser) (*http.Response, error) {
	a.at.load.inFlight.Add(1)
	out := a.request()
	out.Body, out.GetBody = body, a.call.bodies.copies()
	resp, err := wellFormed(a.carry(out))
	if err = a.timedOut(resp, err); err == nil && a.call.t.sidecar != nil {
		err = sidecarError(resp)
	}
	a.observe(out, resp, err)
	if err != nil {
		a.ended(err)
		return nil, err
	}
	a.status = resp.StatusCode
	return resp, nil
}

// wellFormed refuses an answer whose status net/http lets pass and nobody could
// tell from none (RFC 9110 §15: the least is 100).
func wellFormed(resp *http.Response, err error) (*http.Response, error) {
	if err != nil || resp.StatusCode >= 100 {
		return resp, err
	}
	_ = resp.Body.Close()
	return nil, fmt.Errorf("malformed status %q: must be 100 or more", resp.Status)
}

// carry sends the request that goes out, and notes what became of it.
func (a *attempt) carry(out *http.Request) (*http.Response, error) {
	pool := a.call.t.pool
	if pool == nil || !h1.Carries(out) {
		return a.through(out)
	}
	if p := a.call.progress; p != nil {
		a.course.Interim = p.Interim
	}
	resp, err := pool.Send(out, &a.course)
	a.reached = a.course.Conns > 0
	return resp, err
}

// base is the context that an attempt's own derives from.
func (a *attempt) base() context.Context {
	if a.early != nil && a.early.parent != nil {
		return a.early.parent
	}
	return a.call.ctx
}

// request makes the request that goes out: the same but for the address, the
// context, and what headers an attempt adds. The Host header stays the
// service's name, or what the caller set.
func (a *attempt) request() *http.Request {
	in := a.call.req
	a.ctx, a.span = a.call.t.telemetry.start(a)
	a.limit()
	a.out, a.url = *in, *in.URL
	if a.ctx != in.Context() {
		a.out = *in.WithContext(a.ctx)
	}
	a.url.Scheme, a.url.Host = a.at.instance.Scheme, a.at.addr
	a.out.URL = &a.url
	if a.out.Host == "" {
		a.out.Host = in.URL.Host
	}
	a.headers(&a.out)
	return &a.out
}

// limit starts the attempt's own timeout.
func (a *attempt) limit() {
	if d := a.call.view.terms.tryTimeout; d > 0 {
		e := a.ending()
		a.ctx, e.cancel = context.WithCancelCause(a.ctx)
		e.timer = time.AfterFunc(d, func() { e.cancel(ErrAttemptTimeout) })
	}
}

// free gives back what the attempt's contexts took.
func (e *ending) free() {
	if e.cancel != nil {
		e.cancel(nil)
	}
	if e.stop != nil {
		e.stop(nil)
	}
}

// timedOut ends the timeout now that the headers are there or never will be.
// If it struck first, the answer's body is dead.
func (a *attempt) timedOut(resp *http.Response, err error) error {
	if a.early == nil || a.early.timer == nil || a.early.timer.Stop() {
		return err
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	return ErrAttemptTimeout
}

// outcome gathers what is known once send has returned.
func (a *attempt) outcome(resp *http.Response, err error) outcome {
	if err == nil {
		return outcome{status: resp.StatusCode, sent: true, after: retryAfter(resp.StatusCode, resp.Header, time.Now)}
	}
	c := a.call
	if own, ok := errors.AsType[*SidecarError](err); ok {
		c.t.forget(c.service, err)
		return outcome{after: -1, sent: own.Processed, final: true}
	}
	return outcome{
		after: -1,
		sent:  a.sent(err),
		stale: a.course.Kept && !isTimeout(err),
		final: c.ctx.Err() != nil || c.bodies.broken() || isBodyError(err) || a.unreached(err),
	}
}

// isBodyError tells that the caller's body failed.
func isBodyError(err error) bool {
	_, own := errors.AsType[*h1.BodyError](err)
	return own
}

// unreached tells that the request failed before it was the instance's turn to
// fail. A dial that hangs ends with the attempt's timeout, which is its fault.
func (a *attempt) unreached(err error) bool {
	return a.call.t.ours && !a.reached && !isDialError(err) && !errors.Is(err, ErrAttemptTimeout)
}

// sent tells whether bytes of the request may have left and counted. A foreign
// base is believed only if its error is a dial error.
func (a *attempt) sent(err error) bool {
	if isRefusedStream(err) {
		return false
	}
	return a.course.Sent || !a.call.t.ours && !isDialError(err)
}

// learn keeps what an attempt tells of its instance, and measures it.
func (a *attempt) learn(o outcome, err error) {
	c, t := a.call, a.call.t
	now := t.now()
	a.resent(now)
	t.telemetry.measure(a, now-a.began, err)
	inTime := !c.gaveUpWith(o.status)
	if inTime && !errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
		c.balancer.admission.answered(now, o)
	}
	switch {
	case !inTime, o.final && c.ctx.Err() != nil:
		a.gaveUp(now)
	case o.final:
	case unwell(o):
		a.blame(now)
	case typical(o.status):
		a.clock(now)
	default:
		c.balancer.answered(a.at)
	}
}

// resent charges what was sent again, since a kept connection was dead.
func (a *attempt) resent(now time.Duration) {
	if n := a.course.Conns - 1; n > 0 {
		a.call.balancer.budget.charge(now, n)
		a.call.t.telemetry.count(a.ctx, a.call.service, n, resends)
	}
}

// clock notes how long an answer took. A slow one does not bring an ejected
// instance back.
func (a *attempt) clock(now time.Duration) {
	b, took := a.call.balancer, now-a.began
	q := b.digest.latest(now)
	b.digest.observe(now, took)
	a.at.load.observe(now, took)
	if !isSlow(took, q.p50, q.p95) {
		a.at.load.slow.note(false, now)
		b.answered(a.at)
		return
	}
	if !a.slow(now) && !a.at.load.ejected.away() {
		b.answered(a.at)
	}
}

// gaveUp notes that the caller waited no longer. How long it had waited tells
// of the instance all the same.
func (a *attempt) gaveUp(now time.Duration) {
	took := now - a.began
	a.at.load.waited(now, took)
	if q := a.call.balancer.digest.latest(now); isSlow(took, q.p50, q.p95) {
		a.slow(now)
	}
}

// slow counts slowness against the instance, and tells whether that ejected it.
func (a *attempt) slow(now time.Duration) bool {
	return a.ejected(a.call.balancer.slowed(a.at, now))
}

// blame counts a failure against the instance.
func (a *attempt) blame(now time.Duration) { a.ejected(a.call.balancer.failed(a.at, now)) }

func (a *attempt) ejected(yes bool) bool {
	if yes {
		a.call.t.telemetry.count(a.ctx, a.call.service, 1, ejections)
	}
	return yes
}

// ended notes the attempt's end, once: the answer was read, given up, or never
// came. A body that breaks off counts against the instance.
func (a *attempt) ended(err error) {
	if !a.over.CompareAndSwap(false, true) {
		return
	}
	a.at.load.inFlight.Add(-1)
	if a.early != nil {
		a.early.free()
	}
	if a.status != 0 && err != nil && a.call.ctx.Err() == nil {
		a.blame(a.call.t.now())
	}
	a.call.t.telemetry.finish(a.span, a.status, err)
	if a.final {
		a.call.release()
	}
}

// normalEnd tells whether reading a body ended as it should: at its end, or
// because the caller closed it.
func normalEnd(err error) bool {
	return err == nil || err == io.EOF || errors.Is(err, http.ErrBodyReadAfterClose)
}

// record is what the error will say of this attempt.
func (a *attempt) record(o outcome, err error) Attempt {
	return Attempt{
		Instance: a.at.instance.ID, Addr: a.at.addr, Err: err, Status: o.status,
		Sent: o.sent, Duration: a.call.t.now() - a.began,
	}
}
