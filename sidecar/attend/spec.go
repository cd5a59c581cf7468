package attend

import (
	"cmp"
	"time"

	"fairlead.dev/registry"
)

// A Spec says which instance to attend and how to tell its health.
type Spec struct {
	Key          registry.Key
	Registration registry.Registration
	Check        Check
}

// A Check is how health is told from outside: a command if there is one, else
// a GET of the registration's health path, else a TCP connect.
type Check struct {
	// Command is a program and its arguments. Its exit code is the answer: 0
	// passing, 1 warning, anything else critical.
	Command []string
	// Interval is the time between two checks, 1 s by default. A program that
	// has never been healthy is checked more often at first.
	Interval time.Duration
	// Timeout bounds one check, 1 s by default. No answer is critical.
	Timeout time.Duration
	// Rise is how many good results in a row make a critical instance healthy,
	// 1 by default. Fall is how many bad ones make a healthy instance critical,
	// 2 by default, so that one lost packet costs nothing.
	Rise, Fall int
}

const (
	defaultInterval = time.Second
	defaultTimeout  = time.Second
	defaultRise     = 1
	defaultFall     = 2

	leastInterval = 10 * time.Millisecond
	mostInterval  = time.Hour
	mostInARow    = 100
)

// WithDefaults returns s with the zero fields that have a default filled in.
func (s Spec) WithDefaults() Spec {
	s.Registration = s.Registration.WithDefaults()
	s.Check.Interval = cmp.Or(s.Check.Interval, defaultInterval)
	s.Check.Timeout = cmp.Or(s.Check.Timeout, defaultTimeout)
	s.Check.Rise = cmp.Or(s.Check.Rise, defaultRise)
	s.Check.Fall = cmp.Or(s.Check.Fall, defaultFall)
	return s
}

// Validate reports every field that is out of bounds, as a
// [registry.FieldErrors]. It expects defaults to be filled in.
func (s Spec) Validate() error {
	var errs registry.FieldErrors
	errs.Add(s.Key.Validate())
	errs.Add(s.Registration.Validate())
	errs.Add(s.Check.validate())
	return errs.Err()
}

func (c Check) validate() error {
	var errs registry.FieldErrors
	if len(c.Command) > 0 && c.Command[0] == "" {
		errs.Addf("check.command", "must begin with a program, got an empty word")
	}
	between(&errs, "check.interval", c.Interval, leastInterval, mostInterval)
	between(&errs, "check.timeout", c.Timeout, leastInterval, mostInterval)
	between(&errs, "check.rise", c.Rise, 1, mostInARow)
	between(&errs, "check.fall", c.Fall, 1, mostInARow)
	return errs.Err()
}

func between[T cmp.Ordered](errs *registry.FieldErrors, field string, value, least, most T) {
	if value < least || value > most {
		errs.Addf(field, "must be between %v and %v, got %v", least, most, value)
	}
}
