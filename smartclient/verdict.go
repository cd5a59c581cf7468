package smartclient

import (
	"net/http"
	"time"
)

// A trait is what is known of a request for the question whether it may be
// repeated.
type trait uint8

const (
	// idempotent: the method is (RFC 9110 §9.2.2).
	idempotent trait = 1 << iota
	// plain: GET, HEAD or OPTIONS without a body.
	plain
	// repetition: the request is itself a retry, or made while one is served.
	repetition
	// keyed: the method is not idempotent, but the service heeds the request's
	// Idempotency-Key.
	keyed
)

func traitsOf(req *http.Request) trait {
	var t trait
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		t = idempotent
		if !hasBody(req) {
			t |= plain
		}
	case http.MethodTrace, http.MethodPut, http.MethodDelete:
		t = idempotent
	}
	return t
}

// An outcome is what is known of one attempt.
type outcome struct {
	// status is the answer's, 0 if there was none.
	status int
	// after is the answer's Retry-After, negative if it has none.
	after time.Duration
	// sent tells whether bytes of the request may have left.
	sent bool
	// stale tells that there was no answer on a connection kept from an
	// earlier request: it may have been dead while the instance is well.
	stale bool
	// final tells that the request itself or the caller ended it: invalid,
	// cancelled, or its own body failed.
	final bool
}

// A verdict says what to do after an attempt.
type verdict uint8

const (
	// stop: the outcome is the caller's.
	stop verdict = iota
	// another: repeat, on another instance only.
	another
	// again: repeat, on another instance if there is one, else on the same.
	again
)

// judge decides whether an attempt may be repeated, budget and time aside.
func judge(mode RetryMode, t trait, o outcome) verdict {
	switch {
	case o.final:
		return stop
	case o.status == 0 && !o.sent:
		return again
	case t&repetition != 0:
		return stop
	case mode == RetryUnsent:
		return judgeAsProxy(t, o)
	case t&(idempotent|keyed) == 0:
		return stop
	case o.status == 0:
		return unanswered(o)
	}
	return judgeStatus(o)
}

func unanswered(o outcome) verdict {
	if o.stale {
		return again
	}
	return another
}

func judgeAsProxy(t trait, o outcome) verdict {
	if o.status == 0 && t&plain != 0 {
		return unanswered(o)
	}
	return stop
}

// judgeStatus: 502, 503 and 504 speak of the instance or of the moment, 500 of
// the request. Retry-After says when, and then the same instance will do too.
func judgeStatus(o outcome) verdict {
	switch o.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if o.after >= 0 {
			return again
		}
	}
	switch o.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return another
	}
	return stop
}

// unwell tells whether an outcome counts against the instance. A 500 does not:
// the instance answers, and others would answer the same.
func unwell(o outcome) bool {
	switch o.status {
	case 0:
		return !o.final
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// typical tells whether the time to an answer says how fast the instance is.
// Refusals are quick, and must not attract requests.
func typical(status int) bool { return status < 500 && status != http.StatusTooManyRequests }
