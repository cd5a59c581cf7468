package attend

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/internal/logtest"
	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = registry.Key{Realm: "local", Service: "greeting", Instance: "host001-5001"}

// A program is a stand-in whose health is set by the test.
type program struct {
	status atomic.Value
	reason atomic.Value
	itself bool // registers itself
}

func (p *program) is(s registry.Status) { p.status.Store(s) }

func (p *program) check(context.Context) finding {
	status, _ := p.status.Load().(registry.Status)
	reason, _ := p.reason.Load().(string)
	return finding{status: status, reason: cmp.Or(reason, "it says so")}
}

// An attended program, its registry, and the end of both.
type scene struct {
	*Attendant
	program  program
	registry *memory.Registry
	said     logtest.Text
	leave    context.CancelFunc
	left     chan error
}

func attended(t *testing.T, status registry.Status) *scene {
	t.Helper()
	return attend(t, &scene{}, status)
}

func attend(t *testing.T, s *scene, status registry.Status) *scene {
	t.Helper()
	s.registry, s.left = memory.New(memory.Options{}), make(chan error, 1)
	s.program.is(status)
	var err error
	s.Attendant, err = New(Options{
		Spec:  Spec{Key: key, Registration: registry.Registration{Host: "127.0.0.1", Port: 5001}},
		Atlas: s.registry, Beater: s.registry, OnConnect: s.registry.OnConnect,
		Logger: slog.New(slog.NewTextHandler(&s.said, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.check = s.program.check
	s.identify = func(context.Context) (string, bool) { return "local/greeting/itself", s.program.itself }
	var ctx context.Context
	ctx, s.leave = context.WithCancel(t.Context())
	go func() { s.left <- s.Run(ctx) }()
	t.Cleanup(s.registry.Close)
	return s
}

func (s *scene) listed() registry.Status {
	synctest.Wait()
	in, _ := s.registry.Table(key.Realm).Service(key.Service).Instance(key.Instance)
	return in.Status
}

func (s *scene) end(t *testing.T) {
	t.Helper()
	s.leave()
	if err := <-s.left; err != nil {
		t.Error(err)
	}
	if got := s.listed(); got != "" {
		t.Errorf("after the end it is still listed as %s", got)
	}
}

// elapse lets virtual time go by.
func elapse(d time.Duration) { <-time.After(d) }

func TestRegistersOnceHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Critical)
		defer s.end(t)
		elapse(time.Minute)
		if got := s.listed(); got != "" {
			t.Fatalf("before it is healthy it is listed as %s", got)
		}
		s.program.is(registry.Passing)
		if err := s.Registered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.listed(); got != registry.Passing {
			t.Errorf("once healthy it is listed as %q", got)
		}
	})
}

func TestReportsWhatChecksFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Passing)
		defer s.end(t)
		for _, status := range []registry.Status{registry.Passing, registry.Warning, registry.Critical, registry.Passing} {
			s.program.is(status)
			elapse(2500 * time.Millisecond) // two checks and a half
			if got := s.listed(); got != status {
				t.Errorf("it is listed as %q, want %q", got, status)
			}
		}
		if _, reason := s.Status(); reason != "it says so" {
			t.Errorf("the reason is %q", reason)
		}
	})
}

func TestStaysRegisteredThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Passing)
		defer s.end(t)
		elapse(time.Second)
		s.registry.GoAway()
		elapse(time.Minute)
		s.registry.Forget()
		s.registry.ComeBack()
		elapse(3 * time.Second)
		if got := s.listed(); got != registry.Passing {
			t.Errorf("after the outage it is listed as %q", got)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Passing)
		defer s.end(t)
		if err := s.Registered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.listed(); got != registry.Draining {
			t.Errorf("once drained it is listed as %q", got)
		}
	})
}

func TestLeavesBeforeItWasHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Critical)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Registered(ctx); !errors.Is(err, ErrNotHealthy) {
			t.Errorf("Registered returned %v, want ErrNotHealthy", err)
		}
		if err := s.Drain(t.Context()); !errors.Is(err, ErrNotHealthy) {
			t.Errorf("Drain returned %v, want ErrNotHealthy", err)
		}
		s.end(t)
	})
}

func TestConflictIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := attended(t, registry.Passing)
		defer first.end(t)
		elapse(time.Second)
		second, err := New(Options{
			Spec:  Spec{Key: key, Registration: registry.Registration{Host: "127.0.0.1", Port: 5002}},
			Atlas: first.registry, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		second.check, second.identify = first.program.check, first.identify
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- second.Run(ctx) }()
		if err := second.Registered(t.Context()); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("Registered returned %v, want ErrConflict", err)
		}
		cancel()
		if err := <-left; err != nil {
			t.Error(err)
		}
		if got := first.listed(); got != registry.Passing {
			t.Errorf("the first is listed as %q", got)
		}
	})
}

func TestLeavesAProgramAloneThatRegistersItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attend(t, &scene{program: program{itself: true}}, registry.Passing)
		defer s.end(t)
		if err := s.Registered(t.Context()); !errors.Is(err, ErrRegistersItself) {
			t.Errorf("Registered returned %v, want ErrRegistersItself", err)
		}
		elapse(time.Minute)
		if got := s.listed(); got != "" {
			t.Errorf("it is listed as %s", got)
		}
		if err := s.Drain(t.Context()); !errors.Is(err, ErrRegistersItself) {
			t.Errorf("Drain returned %v, want ErrRegistersItself", err)
		}
		if n := strings.Count(s.said.String(), "registers itself"); n != 1 {
			t.Errorf("it is told %d times:\n%s", n, s.said.String())
		}
	})
}

func TestSaysWhyItIsNotRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := attended(t, registry.Critical)
		defer s.end(t)
		elapse(patience - time.Millisecond)
		if said := s.said.String(); said != "" {
			t.Errorf("of a program that starts it says\n%s", said)
		}
		elapse(time.Minute)
		s.program.reason.Store("something else")
		elapse(time.Minute)
		said := s.said.String()
		for _, once := range []string{"it says so", "something else"} {
			if strings.Count(said, once) != 1 {
				t.Errorf("%q should be told once:\n%s", once, said)
			}
		}
	})
}
