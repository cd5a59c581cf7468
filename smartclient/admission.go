package smartclient

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// throttleWindow is what client-side throttling looks back on. Google SRE has
// two minutes; what is sent doubles in 0.4 windows at best once the service
// accepts again, so that would be ten minutes until all of it is.
const throttleWindow = 10 * time.Second

// An admission keeps requests to one service from being sent at all, where
// sending them would only add to an overload. Both of its ways are off unless
// the caller asks for them.
type admission struct {
	limit    int64
	inFlight atomic.Int64
	// factor is the K of throttling, zero if it is off; in answers, requests
	// are attempts and those that the service accepted are marked.
	factor  float64
	answers tally
}

func (a *admission) start(o Options) {
	a.limit, a.factor = int64(o.MaxInFlight), o.Throttle
	a.answers.start(throttleWindow)
}

// admit tells why a request may not be sent, nil if it may. It then counts as
// in flight until leave.
func (a *admission) admit(now time.Duration) error {
	if a.factor > 0 && a.throttled(now, rand.Float64()) {
		return ErrThrottled
	}
	if a.limit > 0 && a.inFlight.Add(1) > a.limit {
		a.inFlight.Add(-1)
		return ErrTooManyInFlight
	}
	return nil
}

func (a *admission) leave() {
	if a.limit > 0 {
		a.inFlight.Add(-1)
	}
}

// throttled decides by a uniform roll in [0, 1).
func (a *admission) throttled(now time.Duration, roll float64) bool {
	requests, accepted := a.answers.sum(a.answers.turnAt(now), 0)
	return roll < refusal(a.factor, requests, accepted)
}

// refusal is the probability with which a client does not send a request, by
// what the service accepted of those before: what is beyond K times that would
// be refused anyway (Google SRE, chapter 21). Requests that were not sent count
// as requests, so the more a caller wants the more it is refused.
func refusal(k float64, requests, accepted int64) float64 {
	return max(0, (float64(requests)-k*float64(accepted))/float64(requests+1))
}

// wanted notes that a request wants to be sent.
func (a *admission) wanted(now time.Duration) {
	if a.factor > 0 {
		a.answers.request(now)
	}
}

// answered notes what became of an attempt.
func (a *admission) answered(now time.Duration, o outcome) {
	if a.factor > 0 && accepted(o) {
		a.answers.at(a.answers.turnAt(now)).marked.Add(1)
	}
}

// accepted tells whether an outcome shows that the service takes requests on.
func accepted(o outcome) bool {
	switch o.status {
	case 0:
		return o.final // the request's own fault
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false
	}
	return true
}
