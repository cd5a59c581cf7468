package registry

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels that callers branch on with errors.Is.
var (
	// ErrUnknown says that Atlas holds no such lease: register again.
	ErrUnknown = errors.New("instance is not registered")
	// ErrStale says that the request names an old incarnation or a wrong
	// token. It changed nothing, and repeating it will not help.
	ErrStale = errors.New("incarnation or token is not the registered one")
	// ErrConflict says that another endpoint holds the id, and that whoever is
	// there is not proven dead.
	ErrConflict = errors.New("another endpoint holds this instance id")
	// ErrUnavailable says that no Atlas answered. Nothing is known about the
	// request's effect; requests of this API may be repeated.
	ErrUnavailable = errors.New("registry is unavailable")
	// ErrRevision says that the expected revision was not the current one.
	ErrRevision = errors.New("revision does not match")

	// ErrNoSuchService says that the registry knows no instance of a service.
	ErrNoSuchService = errors.New("no such service")
	// ErrNoneEnabled says that instances are registered, but an operator
	// disabled or drained every one of them.
	ErrNoneEnabled = errors.New("no instance is enabled")
	// ErrNeverSeen says that the registry has not answered since this process
	// began, and no cache stood in.
	ErrNeverSeen = errors.New("registry was never seen")
	// ErrNotCached says that a cache has nothing of an interest that is fit
	// for use.
	ErrNotCached = errors.New("not in the cache")
)

// A FieldError names one field of an input and what was expected of it.
type FieldError struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// FieldErrors are all the problems of one input.
type FieldErrors []*FieldError

// Add appends err if it is a field error or a list of them; nil is ignored.
func (e *FieldErrors) Add(err error) {
	if err != nil { // as nearly always: it costs nothing then
		e.add(err)
	}
}

func (e *FieldErrors) add(err error) {
	var one *FieldError
	var many FieldErrors
	switch {
	case errors.As(err, &many):
		*e = append(*e, many...)
	case errors.As(err, &one):
		*e = append(*e, one)
	default:
		*e = append(*e, &FieldError{Field: "input", Problem: err.Error()})
	}
}

// Addf appends a problem of a field.
func (e *FieldErrors) Addf(field, format string, args ...any) {
	*e = append(*e, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// Err returns nil when there is no problem, else the list.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Error joins the problems on one line.
func (e FieldErrors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "; ")
}
