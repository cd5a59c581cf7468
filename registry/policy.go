package registry

// maxAttempts bounds what a policy may ask of callers.
const maxAttempts = 10

// A Policy is how a service wants to be called by those who say nothing else.
// Zero fields leave the caller's own default; what the caller says itself wins
// over the policy. It travels in every table, so a change reaches callers with
// the next one.
type Policy struct {
	// Attempts is how often a request is tried at most, the first included: 1
	// to 10.
	Attempts int `json:"attempts,omitempty"`
	// Timeout bounds a call with all its attempts, the answer's body included;
	// TryTimeout one attempt up to the headers of its answer. Both are 1 ms to
	// 1 h. Upgrades and event streams are not bound by
	// Timeout; a service with other answers that last sets none.
	Timeout    Duration `json:"timeout,omitempty"`
	TryTimeout Duration `json:"try_timeout,omitempty"`
	// Hedge asks callers to send an idempotent request that is slow to another
	// instance too. It costs the service up to 5 % more requests.
	Hedge bool `json:"hedge,omitempty"`
	// IdempotencyKey declares that the service processes a POST or PATCH only
	// once however often it comes with the same Idempotency-Key, so that
	// callers may repeat it.
	IdempotencyKey bool `json:"idempotency_key,omitempty"`
	// RouteOverride permits callers to have single requests routed to other
	// instances than the table says.
	RouteOverride bool `json:"route_override,omitempty"`
}

// Validate reports every field that is out of bounds.
func (p Policy) Validate() error {
	var errs FieldErrors
	if p.Attempts < 0 || p.Attempts > maxAttempts {
		errs.Addf("policy.attempts", "must be between 1 and %d, got %d", maxAttempts, p.Attempts)
	}
	errs.Add(p.Timeout.validate("policy.timeout"))
	errs.Add(p.TryTimeout.validate("policy.try_timeout"))
	if p.Timeout > 0 && p.TryTimeout > p.Timeout {
		errs.Addf("policy.try_timeout", "must be at most the timeout of %s, got %s", p.Timeout, p.TryTimeout)
	}
	return errs.Err()
}
