package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"fairlead.dev/registry"
)

func TestAProblemSurvivesTheWire(t *testing.T) {
	cases := []struct {
		err    error
		is     error
		code   string
		status int
	}{
		{registry.ErrUnknown, registry.ErrUnknown, CodeUnknown, 404},
		{registry.ErrStale, registry.ErrStale, CodeStale, 409},
		{fmt.Errorf("%w: a is held by b", registry.ErrConflict), registry.ErrConflict, CodeConflict, 409},
		{registry.ErrRevision, registry.ErrRevision, CodeRevision, 412},
		{registry.ErrUnavailable, registry.ErrUnavailable, CodeUnavailable, 503},
		{context.DeadlineExceeded, registry.ErrUnavailable, CodeUnavailable, 503},
	}
	for _, c := range cases {
		text, err := json.Marshal(NewProblem(fmt.Errorf("register: %w", c.err)))
		if err != nil {
			t.Fatal(err)
		}
		var p Problem
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		got := fmt.Errorf("ask: %w", &p)
		if !errors.Is(got, c.is) || p.Code != c.code || p.Status() != c.status || p.Error() != "register: "+c.err.Error() {
			t.Errorf("%v became %+v with status %d", c.err, p, p.Status())
		}
		if NewProblem(got).Code != c.code {
			t.Errorf("%v changed its code on the way on", got)
		}
	}
}

func TestFieldErrorsSurviveTheWire(t *testing.T) {
	for _, err := range []error{
		&registry.FieldError{Field: "port", Problem: "must be a number"},
		fmt.Errorf("register: %w", registry.FieldErrors{{Field: "port", Problem: "must be a number"}}),
	} {
		text, _ := json.Marshal(NewProblem(err))
		var p Problem
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		var fields registry.FieldErrors
		if !errors.As(error(&p), &fields) || fields[0].Field != "port" || p.Status() != 400 {
			t.Errorf("%v became %+v", err, p)
		}
	}
}

func TestAnInternalErrorKeepsItsTextToItself(t *testing.T) {
	p := NewProblem(errors.New("open /var/lib/secret: permission denied"))
	if p.Code != CodeInternal || p.Status() != 500 || p.Unwrap() != nil || p.Error() == "" {
		t.Errorf("problem %+v", p)
	}
	if text, _ := json.Marshal(p); errors.Is(p, registry.ErrUnknown) || bytes.Contains(text, []byte("secret")) {
		t.Errorf("problem %s", text)
	}
}
