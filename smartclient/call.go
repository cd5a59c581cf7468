package smartclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"fairlead.dev/registry"
)

// A call is one request to a service, with all its attempts.
type call struct {
	t        *Transport
	req      *http.Request
	ctx      context.Context    // the request's, or one of it that ends earlier
	cancel   context.CancelFunc // of ctx, nil if that is the request's
	began    time.Duration
	service  string
	traits   trait
	byPolicy bool      // nobody but the policy says how long it may take
	admitted bool      // and not gone yet
	before   int       // the number of the attempt that the request itself is part of
	progress *Progress // nil if nobody asks
	balancer *balancer
	view     *view
	bodies   *replay // nil without a body
	routes   Routes
	ownKey   string // an Idempotency-Key that the caller did not set

	made    int            // attempts
	history *history       // of those that did not end the call; nil before the first
	held    *http.Response // an answer, given up once there is a better chance
	last    *attempt
	first   attempt // most calls have no other; so it costs no allocation
}

// A history is what became of a call's attempts.
type history struct {
	past  []Attempt
	tried []life // until all are
}

// note adds an attempt to the history.
func (c *call) note(a *attempt, o outcome, failure error) {
	if c.history == nil {
		c.history = new(history)
	}
	c.history.past = append(c.history.past, a.record(o, failure))
	c.history.tried = append(c.history.tried, a.at.life())
}

func (c *call) tried() []life {
	if c.history == nil {
		return nil
	}
	return c.history.tried
}

func (c *call) past() []Attempt {
	if c.history == nil {
		return nil
	}
	return c.history.past
}

// errNoOther says that a table changed between two attempts, and what is left
// was tried before.
var errNoOther = errors.New("no other instance is left")

func newCall(t *Transport, req *http.Request, service string) (*call, error) {
	c := &call{t: t, req: req, ctx: req.Context(), service: service, traits: traitsOf(req), began: t.now()}
	carried := carriedBy(c.ctx)
	c.progress = carried.progress
	if c.before = max(attemptOf(req.Header), carried.attempt); c.before > 1 {
		c.traits |= repetition
	}
	if t.sidecar != nil { // it does the repeating, but for what never reached it
		c.traits |= repetition
	}
	var err error
	if c.routes, err = routesOf(req, carried.routes); err != nil {
		return nil, err
	}
	asked, hasAsked, err := timeoutOf(req.Header)
	if err != nil && t.options.Retry != RetryUnsent {
		return nil, err
	}
	said := timeoutSaid(t.options.Timeout, asked, hasAsked)
	c.byPolicy = said == 0
	c.bound(said)
	if hasBody(req) {
		c.bodies = &replay{body: req.Body}
	}
	return c, nil
}

// repeatable tells whether the request may be repeated though it was sent. A
// proxy repeats PUT and DELETE no more than POST.
func (c *call) repeatable() bool {
	return c.t.options.Retry == RetryIdempotent && c.t.sidecar == nil && c.traits&(idempotent|keyed) != 0
}

// run attempts until there is an answer to keep or a reason to stop.
func (c *call) run() (*http.Response, error) {
	for n := 1; ; n++ {
		now, err := c.prepare(n)
		if err != nil {
			return c.end(err)
		}
		e, body, err := c.choose(now)
		if err != nil {
			return c.end(err)
		}
		c.letGo()
		r := c.lapsed(c.send(c.attempt(e, n, now), body))
		a, err := r.attempt, r.err
		n, c.last = c.made, a // a hedge is an attempt too
		o := a.outcome(r.resp, err)
		a.learn(o, err)
		c.held = a.watch(r.resp)
		wait, err := c.next(a, o, err)
		if err != nil || wait < 0 {
			return c.end(err)
		}
		if err := sleep(c.ctx, wait); err != nil {
			c.letGo()
			return c.end(err)
		}
		c.t.telemetry.count(c.ctx, c.service, 1, retries)
	}
}

// prepare asks whether there may be an attempt, and tells when it begins.
func (c *call) prepare(n int) (now time.Duration, err error) {
	s, now, err := c.resolve(n)
	if err != nil {
		return 0, err
	}
	if c.view, err = c.balancer.view(s, now); err != nil {
		return 0, err
	}
	if n == 1 {
		err = c.begin()
	}
	if err == nil {
		err = c.inTime(now)
	}
	return now, err
}

// resolve asks for the service as it is now. An attempt begins when it is told,
// for that may have to wait. But what was known before was not waited for, and
// reading the clock takes longer than picking: then the first attempt begins
// with the call.
func (c *call) resolve(n int) (s *registry.Service, now time.Duration, err error) {
	b, before := c.t.known(c.service)
	if s, err = c.t.options.Resolver.Resolve(c.ctx, c.service); err != nil {
		c.t.forget(c.service, err)
		return nil, 0, err
	}
	if b == nil {
		b = c.t.balancerOf(c.service)
	}
	c.balancer = b
	if n == 1 && before != nil && before.of == s {
		return s, c.began, nil
	}
	return s, c.t.now(), nil
}

// choose picks an endpoint, and has the body that it shall get. The body comes
// first: what is picked may be an ejected instance that waits for its probe,
// which has to be sent then.
func (c *call) choose(now time.Duration) (*endpoint, io.ReadCloser, error) {
	body, err := c.bodies.next()
	if err != nil {
		return nil, nil, fmt.Errorf("repeat request body: %w", err)
	}
	e, err := c.endpoint(now)
	if err != nil && body != nil {
		_ = body.Close()
	}
	return e, body, err
}

// endpoint picks one of the view.
func (c *call) endpoint(now time.Duration) (*endpoint, error) {
	if instance := c.route(); instance != "" {
		return c.view.routed(instance)
	}
	if e := c.view.pick(now, c.tried()); e != nil {
		return e, nil
	}
	return nil, errNoOther
}

// begin does what has to wait for the service's policy, and asks to be let in.
func (c *call) begin() (err error) {
	if timeout := c.view.terms.timeout; timeout > 0 && c.byPolicy && !lasting(c.req.Header) {
		c.bound(timeout)
	}
	c.key()
	if c.bodies != nil {
		if *c.bodies, err = newReplay(c.req, c.repeatable()); err != nil {
			return err
		}
	}
	c.balancer.admission.wanted(c.began)
	if err = c.balancer.admission.admit(c.began); err != nil {
		return err
	}
	c.admitted = true
	c.balancer.budget.request(c.began)
	return nil
}

// route returns the instance that the caller wants; a sidecar does the choosing
// where there is one.
func (c *call) route() string {
	if len(c.routes) == 0 || c.t.sidecar != nil {
		return ""
	}
	return c.routes[c.service]
}

func (c *call) attempt(e *endpoint, n int, now time.Duration) *attempt {
	a := &c.first
	if n > 1 {
		a = new(attempt)
	}
	a.call, a.at, a.number, a.began = c, e, n, now
	c.last, c.made = a, n
	c.t.telemetry.picked(a)
	if c.progress != nil {
		c.progress.Instance = e.instance.ID
	}
	return a
}

// noMore is the pause before an attempt that there will not be.
const noMore = -1 * time.Second

// next returns the pause before the next attempt, or noMore. An error says why
// an attempt that would be right is not made.
func (c *call) next(a *attempt, o outcome, failure error) (time.Duration, error) {
	v := judge(c.t.options.Retry, c.traits, o)
	if o.status != 0 && v == stop {
		return noMore, nil
	}
	c.note(a, o, failure)
	other := c.route() == "" && c.view.hasOther(c.history.tried)
	if !c.mayFollow(v, other) {
		return noMore, nil
	}
	wait := time.Duration(0)
	if c.made > 1 || o.sent || !other {
		wait = pause(c.made, o.after)
	}
	if !fits(c.ctx, wait+c.balancer.digest.latest(c.t.now()).least, o.after) {
		return noMore, nil
	}
	if !c.balancer.budget.spend(c.t.now()) {
		c.t.telemetry.count(c.ctx, c.service, 1, refused)
		return noMore, ErrBudgetSpent
	}
	if !other {
		c.history.tried = c.history.tried[:0] // then the same again
	}
	return wait, nil
}

// mayFollow tells whether the verdict, the number of attempts, the instances
// and the body allow one more.
func (c *call) mayFollow(v verdict, other bool) bool {
	return v != stop && (other || v == again) && c.made < c.view.terms.attempts && c.bodies.possible()
}

// letGo gives a held answer up.
func (c *call) letGo() {
	if c.held != nil {
		discard(c.held)
		c.held = nil
	}
}

// end returns the held answer, or an error if there is none. Whatever kept the
// call from one more attempt, an answer is worth more than the reason.
func (c *call) end(reason error) (*http.Response, error) {
	c.bodies.end(c.held != nil)
	if c.held == nil {
		e := c.failure(reason)
		c.release()
		return nil, e
	}
	c.last.final = true
	if c.last.over.Load() {
		c.release()
	}
	c.held.Request = c.req
	if c.req.Host == "" || c.req.Host == c.req.URL.Host {
		logical(c.held, c.service)
	}
	return c.held, nil
}

func (c *call) failure(reason error) *Error {
	if reason == nil {
		reason = c.ended() // nil if the last attempt says it all
	}
	e := &Error{Service: c.service, Realm: c.t.options.Realm, Method: methodOf(c.req), Attempts: c.past(), Err: reason}
	for _, a := range e.Attempts {
		e.Processed = e.Processed || a.Sent
	}
	return e
}
