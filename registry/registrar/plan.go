package registrar

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"fairlead.dev/registry"
)

const (
	backoffLeast = 50 * time.Millisecond
	backoffMost  = 2 * time.Second
	// A heartbeat that got no answer is repeated within one period.
	rebeatMost = time.Second

	requestTimeout    = 2 * time.Second
	deregisterTimeout = 2 * time.Second

	// everyDefault stands in where a lease does not say how often to beat.
	everyDefault = 2 * time.Second

	// Every fifth heartbeat is a request.
	requestEvery = 5

	// conflictPace is how often a held id is asked for again: the holder's
	// lease, which is not ours to know, has this length by default.
	conflictPace = 6 * time.Second

	// refusedPace is how often a registration is tried again that the registry
	// refuses for what it says: only people change that, here or there.
	refusedPace = 30 * time.Second
)

// A plan is what to do after an answer: when to act again, and whether the
// lease is still held.
type plan struct {
	delay time.Duration
	held  bool
}

// afterRegister decides what follows a registration's answer. failures counts
// those in a row, this one included.
func afterRegister(err error, every time.Duration, failures int) plan {
	switch {
	case err == nil:
		return plan{delay: jittered(every), held: true}
	case isInvalid(err):
		return plan{delay: jittered(refusedPace)}
	case errors.Is(err, registry.ErrConflict):
		return plan{delay: jittered(conflictPace)}
	}
	return plan{delay: backoff(failures, backoffMost)}
}

// afterHeartbeat decides what follows a heartbeat's answer.
func afterHeartbeat(err error, every time.Duration, failures int) plan {
	switch {
	case err == nil:
		return plan{delay: jittered(every), held: true}
	case errors.Is(err, registry.ErrUnknown):
		return plan{}
	case errors.Is(err, registry.ErrStale):
		return plan{delay: backoff(failures, backoffMost)}
	case errors.Is(err, context.Canceled):
		return plan{held: true} // cut short by a new connection
	}
	return plan{delay: backoff(failures, min(every, rebeatMost)), held: true}
}

// asks tells whether a heartbeat has to be a request; doubtful is a reason to
// think that the registry may not know the instance any more.
func asks(beats int, doubtful bool, failures int, last, now registry.Status) bool {
	return beats%requestEvery == 0 || doubtful || failures > 0 || last != now
}

// backoff returns a full-jitter delay after a number of failures in a row.
func backoff(failures int, most time.Duration) time.Duration {
	limit := min(backoffLeast<<min(max(failures-1, 0), 10), most)
	return rand.N(limit) + time.Millisecond
}

// jittered spreads a period by ten percent either way, so that instances that
// started together do not stay together.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

func isInvalid(err error) bool {
	var one *registry.FieldError
	var many registry.FieldErrors
	return errors.As(err, &one) || errors.As(err, &many)
}
