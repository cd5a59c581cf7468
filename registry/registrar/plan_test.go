package registrar

import (
	"context"
	"fmt"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// between is a plan whose delay lies within bounds, ends included.
type between struct {
	least, most time.Duration
	held        bool
}

func (b between) check(t *testing.T, got plan) {
	t.Helper()
	if got.held != b.held || got.delay < b.least || got.delay > b.most {
		t.Errorf("plan %+v, expected within %+v", got, b)
	}
}

func TestAfterRegister(t *testing.T) {
	const every = 2 * time.Second
	cases := []struct {
		name     string
		err      error
		failures int
		want     between
	}{
		{"registered", nil, 0, between{1800 * time.Millisecond, 2200 * time.Millisecond, true}},
		{"invalid", fmt.Errorf("register: %w", registry.FieldErrors{{Field: "port"}}), 1, between{27 * time.Second, 33 * time.Second, false}},
		{"one invalid field", &registry.FieldError{Field: "port"}, 1, between{27 * time.Second, 33 * time.Second, false}},
		{"conflict", registry.ErrConflict, 1, between{5400 * time.Millisecond, 6600 * time.Millisecond, false}},
		{"away, first time", registry.ErrUnavailable, 1, between{0, 51 * time.Millisecond, false}},
		{"away, third time", registry.ErrUnavailable, 3, between{0, 201 * time.Millisecond, false}},
		{"away for long", registry.ErrUnavailable, 1000, between{0, 2001 * time.Millisecond, false}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				c.want.check(t, afterRegister(c.err, every, c.failures))
			}
		})
	}
}

func TestAfterHeartbeat(t *testing.T) {
	const every = 2 * time.Second
	cases := []struct {
		name     string
		err      error
		failures int
		want     between
	}{
		{"answered", nil, 0, between{1800 * time.Millisecond, 2200 * time.Millisecond, true}},
		{"unknown", registry.ErrUnknown, 1, between{}},
		{"stale", registry.ErrStale, 1, between{0, 51 * time.Millisecond, false}},
		{"away", registry.ErrUnavailable, 1, between{0, 51 * time.Millisecond, true}},
		{"away for long", context.DeadlineExceeded, 99, between{0, 1001 * time.Millisecond, true}},
		{"cut short by a new connection", context.Canceled, 1, between{held: true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 100 {
				c.want.check(t, afterHeartbeat(c.err, every, c.failures))
			}
		})
	}
}

func TestAsks(t *testing.T) {
	cases := []struct {
		name        string
		beats       int
		reconnected bool
		failures    int
		last, now   registry.Status
		want        bool
	}{
		{"an ordinary heartbeat", 4, false, 0, registry.Passing, registry.Passing, false},
		{"every fifth", 10, false, 0, registry.Passing, registry.Passing, true},
		{"the first after a reconnect", 1, true, 0, registry.Passing, registry.Passing, true},
		{"after a failure", 1, false, 1, registry.Passing, registry.Passing, true},
		{"a changed status", 1, false, 0, registry.Passing, registry.Warning, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := asks(c.beats, c.reconnected, c.failures, c.last, c.now); got != c.want {
				t.Errorf("asks: %v", got)
			}
		})
	}
}
