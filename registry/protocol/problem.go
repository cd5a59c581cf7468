package protocol

import (
	"context"
	"errors"

	"fairlead.dev/registry"
)

// Codes of refusals. They are part of the protocol: clients branch on them.
const (
	CodeInvalid     = "invalid"
	CodeUnknown     = "unknown"
	CodeStale       = "stale"
	CodeConflict    = "conflict"
	CodeRevision    = "revision"
	CodeUnavailable = "unavailable"
	CodeInternal    = "internal"
)

// A Problem is a refusal on the wire, and the error that a client gets. It
// unwraps to the registry's sentinel, or to the [registry.FieldErrors].
type Problem struct {
	Code   string               `json:"code"`
	Detail string               `json:"detail"`
	Fields registry.FieldErrors `json:"fields,omitempty"`
}

var sentinels = []struct {
	code string
	err  error
}{
	{CodeUnknown, registry.ErrUnknown},
	{CodeStale, registry.ErrStale},
	{CodeConflict, registry.ErrConflict},
	{CodeRevision, registry.ErrRevision},
	{CodeUnavailable, registry.ErrUnavailable},
	{CodeUnavailable, context.DeadlineExceeded},
}

// NewProblem turns an error into a refusal. What has no code of its own is
// internal, and its text stays with the server: log it there.
func NewProblem(err error) *Problem {
	var p *Problem
	var many registry.FieldErrors
	var one *registry.FieldError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &many):
		return &Problem{Code: CodeInvalid, Detail: err.Error(), Fields: many}
	case errors.As(err, &one):
		return &Problem{Code: CodeInvalid, Detail: err.Error(), Fields: registry.FieldErrors{one}}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return &Problem{Code: s.code, Detail: err.Error()}
		}
	}
	return &Problem{Code: CodeInternal, Detail: "the registry failed to answer; its log says why"}
}

func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the sentinel or the field errors that the problem stands for.
func (p *Problem) Unwrap() error {
	if p.Code == CodeInvalid && len(p.Fields) > 0 {
		return p.Fields
	}
	for _, s := range sentinels {
		if p.Code == s.code {
			return s.err
		}
	}
	return nil
}

// Status returns the HTTP status that fits, which is also the number in the
// bus's service error header.
func (p *Problem) Status() int {
	switch p.Code {
	case CodeInvalid:
		return 400
	case CodeUnknown:
		return 404
	case CodeStale, CodeConflict:
		return 409
	case CodeRevision:
		return 412
	case CodeUnavailable:
		return 503
	}
	return 500
}
