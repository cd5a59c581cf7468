package smartclient

import (
	"time"

	"fairlead.dev/registry"
)

// A Switch is a choice that may be left to the service's policy.
type Switch int

const (
	// ByPolicy leaves the choice to the service's policy.
	ByPolicy Switch = iota
	// On and Off overrule it.
	On
	Off
)

func (s Switch) or(policy bool) bool {
	if s == ByPolicy {
		return policy
	}
	return s == On
}

// defaultAttempts is Google SRE's bound: the third attempt still helps, a
// fourth mostly adds load to what is overloaded.
const defaultAttempts = 3

// terms are how calls to one service are made.
type terms struct {
	attempts int
	// timeout is the policy's word, for callers who say nothing of it; it and
	// tryTimeout are 0 if there is none.
	timeout, tryTimeout time.Duration
	hedge               bool
	// keys tells that the service declares support of Idempotency-Key, and
	// giveKeys that requests without one are given theirs.
	keys, giveKeys bool
}

// termsOf weighs what is said: the caller's word over the service's policy,
// and that over the defaults.
func termsOf(o Options, p registry.Policy) terms {
	return terms{
		attempts:   firstSaid(o.MaxAttempts, p.Attempts, defaultAttempts),
		timeout:    time.Duration(p.Timeout),
		tryTimeout: firstSaid(o.AttemptTimeout, time.Duration(p.TryTimeout), 0),
		hedge:      o.Hedge.or(p.Hedge),
		keys:       p.IdempotencyKey,
		giveKeys:   p.IdempotencyKey && o.IdempotencyKeys,
	}
}

// firstSaid returns the first that is not zero; negative stands for a caller
// who says that there is none.
func firstSaid[N int | time.Duration](values ...N) N {
	for _, v := range values {
		if v != 0 {
			return max(v, 0)
		}
	}
	return 0
}
