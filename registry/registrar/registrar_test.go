package registrar

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

var (
	host001  = registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
	endpoint = registry.Registration{Host: "127.0.0.1", Port: 5000}
)

// A fixture is a registry and a registrar that is started but for what a test
// does first. It counts the requests apart from the heartbeats.
type fixture struct {
	*testing.T
	reg       *memory.Registry
	registrar *Registrar
	status    atomic.Value
	requests  atomic.Int64
}

// counting counts heartbeats that are requests.
type counting struct {
	*memory.Registry
	requests *atomic.Int64
}

func (c counting) Heartbeat(ctx context.Context, k registry.Key, b registry.Heartbeat) error {
	c.requests.Add(1)
	return c.Registry.Heartbeat(ctx, k, b)
}

// inBubble runs a test in virtual time, with everything stopped at its end.
func inBubble(t *testing.T, test func(*fixture)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{T: t, reg: memory.New(memory.Options{})}
		defer f.reg.Close()
		f.status.Store(registry.Passing)
		f.registrar = f.another(endpoint, "life-1")
		test(f)
		_ = f.registrar.Stop(context.Background())
	})
}

func (f *fixture) another(r registry.Registration, incarnation string) *Registrar {
	f.Helper()
	one, err := New(Options{
		Atlas: counting{f.reg, &f.requests}, Beater: f.reg, OnConnect: f.reg.OnConnect,
		Key: host001, Registration: r, Incarnation: incarnation,
		Health: func() (registry.Status, int, float64) { return f.status.Load().(registry.Status), 3, 0.5 },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatal(err)
	}
	return one
}

func (f *fixture) instance() (registry.Instance, bool) {
	return f.reg.Table("local").Service("identity").Instance(host001.Instance)
}

// is waits for nothing but what is under way, and checks the status.
func (f *fixture) is(want registry.Status) {
	f.Helper()
	synctest.Wait()
	if in, ok := f.instance(); !ok || in.Status != want {
		f.Fatalf("status is %q (listed %v), expected %q", in.Status, ok, want)
	}
}

func (f *fixture) start() {
	f.Helper()
	f.registrar.Start()
	if err := f.registrar.Registered(context.Background()); err != nil {
		f.Fatal(err)
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestItRegistersAndKeepsTheLease(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		pass(time.Minute)
		f.is(registry.Passing)
		if in, _ := f.instance(); in.Incarnation != "life-1" {
			t.Errorf("incarnation %s", in.Incarnation)
		}
		beats, requests := f.reg.Heartbeats(), f.requests.Load()
		if beats < 26 || beats > 34 {
			t.Errorf("%d heartbeats in a minute, expected one every 2 s", beats)
		}
		if requests < int64(beats/5) || requests > int64(beats/5+1) {
			t.Errorf("%d of %d heartbeats were requests, expected every fifth", requests, beats)
		}
	})
}

func TestItWaitsForARegistryThatIsAway(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.reg.GoAway()
		f.registrar.Start()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := f.registrar.Registered(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("Registered: %v", err)
		}
		f.reg.ComeBack()
		f.is(registry.Passing)
		if err := f.registrar.Registered(context.Background()); err != nil {
			t.Errorf("Registered: %v", err)
		}
	})
}

func TestItFindsARegistryThatCameWithoutNotice(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.registrar.opts.OnConnect = nil
		f.reg.GoAway()
		f.registrar.Start()
		pass(time.Hour)
		f.reg.ComeBack()
		pass(2100 * time.Millisecond)
		f.is(registry.Passing)
	})
}

func TestItRegistersAgainWhenForgotten(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		f.reg.Forget()
		pass(11 * time.Second) // every fifth heartbeat asks
		f.is(registry.Passing)
	})
}

func TestItIsBackAtOnceAfterARestart(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		f.reg.GoAway()
		pass(20 * time.Second)
		f.reg.Forget()
		f.reg.ComeBack()
		f.is(registry.Passing) // no time has passed
	})
}

func TestItGoesOnAfterAnOutageWithoutNotice(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.registrar.opts.OnConnect = nil
		f.start()
		f.reg.GoAway()
		pass(20 * time.Second)
		f.reg.Forget()
		f.reg.ComeBack()
		pass(1100 * time.Millisecond)
		f.is(registry.Passing)
	})
}

func TestAnotherLifeOfTheSameEndpointIsTakenOver(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		if _, err := f.reg.Register(context.Background(), host001, endpoint, registry.Life{Incarnation: "usurper"}); err != nil {
			t.Fatal(err)
		}
		pass(11 * time.Second)
		if in, _ := f.instance(); in.Incarnation != "life-1" {
			t.Errorf("registered is %s", in.Incarnation)
		}
	})
}

func TestAConflictIsToldAndTriedAgain(t *testing.T) {
	inBubble(t, func(f *fixture) {
		var log strings.Builder
		f.start()
		second := f.another(registry.Registration{Host: "127.0.0.1", Port: 5001}, "life-2")
		second.log = slog.New(slog.NewTextHandler(&log, nil))
		second.Start()
		err := second.Registered(context.Background())
		if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), ":5000") || !strings.Contains(err.Error(), ":5001") {
			t.Errorf("Registered: %v", err)
		}
		pass(time.Minute)
		if err := f.registrar.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		pass(7 * time.Second)
		if in, _ := f.instance(); in.Incarnation != "life-2" {
			t.Errorf("registered is %q", in.Incarnation)
		}
		_ = second.Stop(context.Background())
		if n := strings.Count(log.String(), "held by another endpoint"); n != 1 {
			t.Errorf("the conflict was logged %d times:\n%s", n, log.String())
		}
	})
}

func TestAPokeReportsAChangedStatusAtOnce(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		before := f.reg.Heartbeats()
		f.registrar.Poke()
		synctest.Wait()
		if f.reg.Heartbeats() != before {
			t.Error("poked without a change, it sent a heartbeat")
		}
		f.status.Store(registry.Critical)
		f.registrar.Poke()
		f.is(registry.Critical)
		f.status.Store(registry.Passing)
		pass(3 * time.Second)
		f.is(registry.Passing)
	})
}

func TestAStatusBeforeTheRegistrationIsReportedAtOnce(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.status.Store(registry.Warning)
		f.start()
		f.is(registry.Warning)
	})
}

func TestAnImpossibleStatusCountsAsCritical(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.status.Store(registry.Status("splendid"))
		f.start()
		f.is(registry.Critical)
	})
}

func TestDrainWaitsUntilItIsKnown(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		f.reg.GoAway()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := f.registrar.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("Drain while the registry is away: %v", err)
		}
		f.reg.ComeBack()
		if err := f.registrar.Drain(context.Background()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		f.is(registry.Draining)
		pass(time.Minute)
		f.is(registry.Draining)
	})
}

func TestWhatIsNotRegisteredNeedsNoDraining(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.reg.GoAway()
		f.registrar.Start()
		if err := f.registrar.Drain(context.Background()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		f.reg.ComeBack()
		pass(time.Minute)
		if _, ok := f.instance(); ok {
			t.Error("registered although it is draining")
		}
	})
}

func TestStopDeregistersOnce(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		for range 2 {
			if err := f.registrar.Stop(context.Background()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
		if _, ok := f.instance(); ok {
			t.Error("still listed")
		}
		if err := f.registrar.Drain(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("Drain after Stop: %v", err)
		}
	})
}

func TestStopIsBoundedWhenTheRegistryIsAway(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.start()
		f.reg.GoAway()
		if err := f.registrar.Stop(context.Background()); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("Stop: %v", err)
		}
	})
}

func TestStopWithoutStart(t *testing.T) {
	inBubble(t, func(f *fixture) {
		if err := f.registrar.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		f.registrar.Start()
		if err := f.registrar.Registered(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("Registered: %v", err)
		}
	})
}

// stuck never answers a registration, as a bus that lost it.
type stuck struct{ registry.Atlas }

func (s stuck) Register(ctx context.Context, _ registry.Key, _ registry.Registration, _ registry.Life) (registry.Lease, error) {
	<-ctx.Done()
	return registry.Lease{}, ctx.Err()
}

func TestANewConnectionCutsAnUnansweredRequestShort(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.registrar.opts.Atlas = stuck{f.reg}
		f.registrar.Start()
		synctest.Wait()
		f.registrar.opts.Atlas = f.reg // read only after the request is over
		f.reg.ComeBack()
		f.is(registry.Passing)
	})
}

// refusing refuses every registration for as long as it has a reason.
type refusing struct {
	*memory.Registry
	reason *atomic.Value
	asked  *atomic.Int64
}

func (r refusing) Register(ctx context.Context, k registry.Key, reg registry.Registration, life registry.Life) (registry.Lease, error) {
	r.asked.Add(1)
	if reason := r.reason.Load().(string); reason != "" {
		return registry.Lease{}, registry.FieldErrors{{Field: "host", Problem: reason}}
	}
	return r.Registry.Register(ctx, k, reg, life)
}

// refuse has the fixture's registry refuse, and says what is logged of it.
func (f *fixture) refuse(reason string) (refusing, *strings.Builder) {
	var log strings.Builder
	r := refusing{f.reg, new(atomic.Value), new(atomic.Int64)}
	r.reason.Store(reason)
	f.registrar.opts.Atlas, f.registrar.log = r, slog.New(slog.NewTextHandler(&log, nil))
	return r, &log
}

const outside = "must be in the realm's networks"

func TestARefusalIsToldAndTriedAgain(t *testing.T) {
	inBubble(t, func(f *fixture) {
		atlas, log := f.refuse(outside)
		f.registrar.Start()
		var fields registry.FieldErrors
		if err := f.registrar.Registered(context.Background()); !errors.As(err, &fields) || fields[0].Field != "host" {
			t.Errorf("Registered: %v", err)
		}
		pass(10 * time.Minute)
		if n := atlas.asked.Load(); n < 18 || n > 23 {
			t.Errorf("it was tried %d times in ten minutes, expected every half minute", n)
		}
		if err := f.registrar.Problem(); err == nil || err.Error() != "register local/identity/host001-5000: host: "+outside {
			t.Errorf("Problem: %v", err)
		}
		atlas.reason.Store("must be a name")
		pass(2 * time.Minute)
		if n := strings.Count(log.String(), "registration refused"); n != 2 {
			t.Errorf("two reasons were logged %d times:\n%s", n, log.String())
		}
		atlas.reason.Store("")
		pass(34 * time.Second)
		f.is(registry.Passing)
		if err := f.registrar.Problem(); err != nil {
			t.Errorf("registered, its problem is %v", err)
		}
	})
}

// Whoever changes a rule restarts something, or not; a new connection is a
// reason to ask at once.
func TestARefusedRegistrationIsTriedWithEachConnection(t *testing.T) {
	inBubble(t, func(f *fixture) {
		atlas, _ := f.refuse(outside)
		f.registrar.Start()
		pass(time.Second)
		atlas.reason.Store("")
		f.reg.ComeBack()
		f.is(registry.Passing)
	})
}

func TestWhatWasRefusedStopsQuietly(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.refuse(outside)
		f.registrar.Start()
		pass(time.Minute)
		if err := f.registrar.Drain(context.Background()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		if err := f.registrar.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	inBubble(t, func(f *fixture) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- f.registrar.Run(ctx) }()
		f.is(registry.Passing)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, ok := f.instance(); ok {
			t.Error("still listed")
		}
	})
}

func TestNewNamesTheFields(t *testing.T) {
	_, err := New(Options{Key: registry.Key{Realm: "local", Service: "Bad", Instance: "a"}})
	var fields registry.FieldErrors
	if !errors.As(err, &fields) {
		t.Fatalf("New: %v", err)
	}
	for i, want := range []string{"service", "host", "port", "atlas"} {
		if fields[i].Field != want {
			t.Errorf("problem %d is of %s, expected %s", i, fields[i].Field, want)
		}
	}
}
