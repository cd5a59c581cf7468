package smartclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errLost ends the attempt that another one outran.
var errLost = errors.New("another attempt was answered first")

// A sent is an attempt whose RoundTrip has returned.
type sent struct {
	attempt *attempt
	resp    *http.Response
	err     error
}

// hedgeAfter returns how long the first attempt may take before another
// instance is asked too: about the 95th percentile of the service's latency, so
// that one request in twenty costs another. Zero says not to hedge: nobody
// wants it, the request must not be processed twice, it has a body that exists
// once, somebody listens to its progress or names its instance, it is itself a
// repetition, or too little is known of the service.
func (c *call) hedgeAfter() time.Duration {
	switch {
	case !c.view.terms.hedge, c.t.options.Retry != RetryIdempotent, c.t.sidecar != nil:
	case c.traits&idempotent == 0, c.traits&repetition != 0, !c.bodies.copied():
	case c.progress != nil, c.route() != "", c.view.terms.attempts < 2:
	default:
		return c.balancer.digest.latest(c.began).p95
	}
	return 0
}

// send sends an attempt and waits for its answer, or for that of its hedge.
func (c *call) send(a *attempt, body io.ReadCloser) sent {
	if a.number == 1 {
		if after := c.hedgeAfter(); after > 0 {
			return c.race(a, body, after)
		}
	}
	resp, err := a.send(body)
	return sent{a, resp, err}
}

// race sends an attempt, and another one if the first takes too long. Each runs
// in a goroutine that ends with its RoundTrip; the loser's is cancelled as soon
// as there is a winner, and clears up after itself.
func (c *call) race(a *attempt, body io.ReadCloser, after time.Duration) sent {
	results, over := make(chan sent), make(chan struct{})
	defer close(over)
	a.start(body, results, over)
	patience := time.NewTimer(after)
	defer patience.Stop()
	select {
	case r := <-results:
		return r
	case <-patience.C:
	}
	b, body := c.hedge(a)
	if b == nil {
		return <-results
	}
	b.start(body, results, over)
	return c.firstGood(a, b, results)
}

// hedge returns a second attempt, nil if there is no other instance, or the
// budget has nothing left. The instance is picked last: what is picked may be
// one that is ejected and waits for its probe, which has to be sent then.
func (c *call) hedge(a *attempt) (*attempt, io.ReadCloser) {
	now, tried := c.t.now(), []life{a.at.life()}
	if !c.view.hasOther(tried) || c.inTime(now) != nil || !c.balancer.budget.spend(now) {
		return nil, nil
	}
	body, err := c.bodies.next()
	if err != nil {
		return nil, nil
	}
	c.t.telemetry.count(c.ctx, c.service, 1, hedges)
	return c.attempt(c.view.pick(now, tried), a.number+1, now), body
}

// firstGood returns the first of two that needs no repetition, else the second
// to come.
func (c *call) firstGood(a, b *attempt, results <-chan sent) sent {
	r := <-results
	o := r.attempt.outcome(r.resp, r.err)
	if judge(c.t.options.Retry, c.traits, o) == stop {
		other := a
		if r.attempt == a {
			other = b
		}
		other.early.stop(errLost)
		return r
	}
	c.fail(r, o)
	return <-results
}

// fail notes the one of two that failed first.
func (c *call) fail(r sent, o outcome) {
	r.attempt.learn(o, r.err)
	if resp := r.attempt.watch(r.resp); resp != nil {
		discard(resp)
	}
	c.note(r.attempt, o, r.err)
}

// start sends an attempt in a goroutine.
func (a *attempt) start(body io.ReadCloser, results chan<- sent, over <-chan struct{}) {
	e := a.ending()
	e.parent, e.stop = context.WithCancelCause(a.call.ctx)
	go func() {
		resp, err := a.send(body)
		select {
		case results <- sent{a, resp, err}:
		case <-over:
			a.lost(resp, err)
		}
	}()
}

// lost clears up after an attempt that nobody waits for. How long it had taken
// tells of its instance all the same, or the slow would never be found out.
func (a *attempt) lost(resp *http.Response, err error) {
	a.resent(a.call.t.now())
	a.gaveUp(a.call.t.now())
	if resp != nil {
		_ = resp.Body.Close()
		a.ended(err)
	}
}
