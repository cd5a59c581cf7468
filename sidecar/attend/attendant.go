package attend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/registrar"
)

// ErrNotHealthy says that an instance was not registered because its checks
// never found it healthy.
var ErrNotHealthy = errors.New("never found healthy")

// Options of an attendant. Spec and Atlas are required.
type Options struct {
	Spec Spec

	Atlas registry.Atlas
	// Beater and OnConnect are those of [registrar.Options].
	Beater    registry.Beater
	OnConnect func(func()) (remove func())

	// Known is what an attendant before this one found of the same program, so
	// that its registration does not wait for checks: a good status counts
	// until they say otherwise. Empty: nothing is known.
	Known registry.Status

	Logger *slog.Logger // nil: slog.Default()
}

// An Attendant attends one instance. Its methods may be called concurrently.
type Attendant struct {
	spec      Spec
	check     checker
	identify  identifier
	registrar *registrar.Registrar
	log       *slog.Logger

	verdict atomic.Pointer[verdict]
	healthy chan struct{} // closed at the first good verdict
	itself  chan struct{} // closed instead if the program registers itself

	// The goroutine that checks remembers when it began, and which reason for
	// not being registered it has told.
	began time.Time
	told  string
}

// New checks the options. The error lists every field that is wrong, as
// [registry.FieldErrors].
func New(opts Options) (*Attendant, error) {
	spec := opts.Spec.WithDefaults()
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("attend: %w", err)
	}
	log := cmp.Or(opts.Logger, slog.Default())
	a := &Attendant{
		spec: spec, check: newChecker(spec), identify: identifierOf(spec),
		healthy: make(chan struct{}), itself: make(chan struct{}),
		log: log.With("component", "attend", "instance", spec.Key.String()),
	}
	a.verdict.Store(&verdict{})
	if known := (finding{status: opts.Known}); known.status != "" && known.good() {
		a.verdict.Store(&verdict{finding: known, risen: true})
		close(a.healthy)
	}
	var err error
	a.registrar, err = registrar.New(registrar.Options{
		Atlas: opts.Atlas, Beater: opts.Beater, OnConnect: opts.OnConnect,
		Key: spec.Key, Registration: spec.Registration, Health: a.health, Logger: log,
	})
	return a, err
}

// Run checks until ctx ends, registers the instance once it is healthy, and
// deregisters it in the end. A program that registers itself is left alone. Call
// it once.
func (a *Attendant) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var checks sync.WaitGroup
	checks.Go(func() { a.keepChecking(ctx) })
	defer checks.Wait()
	defer cancel()
	select {
	case <-a.healthy:
		return a.registrar.Run(ctx)
	case <-ctx.Done():
		return a.registrar.Stop(ctx)
	}
}

// Abandon makes an end without a word to the registry: the program goes on, and
// somebody else is about to attend it. Run returns soon after.
func (a *Attendant) Abandon() { a.registrar.Abandon() }

// Status returns what the checks say now, and why if that is not passing.
func (a *Attendant) Status() (status registry.Status, reason string) {
	v := a.verdict.Load()
	return cmp.Or(v.status, registry.Critical), v.reason
}

// Problem returns why a healthy instance is not registered, as
// [registrar.Registrar.Problem] does.
func (a *Attendant) Problem() error { return a.registrar.Problem() }

// Registered waits until the instance is healthy and registered. The errors
// are those of [registrar.Registrar.Registered], or wrap [ErrNotHealthy] or
// [ErrRegistersItself].
func (a *Attendant) Registered(ctx context.Context) error {
	select {
	case <-a.healthy:
		return a.registrar.Registered(ctx)
	case <-a.itself:
		return fmt.Errorf("register %s: %w", a.spec.Key, ErrRegistersItself)
	case <-ctx.Done():
		_, reason := a.Status()
		return fmt.Errorf("register %s: %w (%s): %w", a.spec.Key, ErrNotHealthy, reason, ctx.Err())
	}
}

// Drain reports the instance as draining from now on, and waits until the
// registry has heard of it. One that was never healthy has nobody to drain of:
// the error is [ErrNotHealthy]. One that registers itself drains itself, too:
// the error is [ErrRegistersItself].
func (a *Attendant) Drain(ctx context.Context) error {
	select {
	case <-a.healthy:
		return a.registrar.Drain(ctx)
	case <-a.itself:
		return fmt.Errorf("drain %s: %w", a.spec.Key, ErrRegistersItself)
	default:
		return fmt.Errorf("drain %s: %w", a.spec.Key, ErrNotHealthy)
	}
}

// drainTimeout bounds the wait for the registry when it should hear of a
// drain. A registry that is away must not keep a program from stopping.
const drainTimeout = 2 * time.Second

// Withdraw has callers go elsewhere: it reports the instance as draining, and
// gives their tables delay to follow. It returns at once if there is nobody to
// tell, and early when ctx ends.
func (a *Attendant) Withdraw(ctx context.Context, delay time.Duration) {
	bounded, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	switch err := a.Drain(bounded); {
	case errors.Is(err, ErrNotHealthy), errors.Is(err, ErrRegistersItself):
		return // it never had callers, or tells them itself
	case err != nil:
		a.log.Warn("callers could not be told to go elsewhere", "error", err)
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (a *Attendant) health() (registry.Status, int, float64) {
	status, _ := a.Status()
	return status, 0, 0
}

func (a *Attendant) keepChecking(ctx context.Context) {
	a.began = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.itself:
			return
		case <-timer.C:
		}
		f := a.checkOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		timer.Reset(a.take(ctx, f).pause(a.spec.Check))
	}
}

func (a *Attendant) checkOnce(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, a.spec.Check.Timeout)
	defer cancel()
	return a.check(ctx)
}

// take folds a finding into the verdict, and has a change reported at once.
func (a *Attendant) take(ctx context.Context, f finding) verdict {
	before := *a.verdict.Load()
	now := before.after(f, a.spec.Check)
	a.verdict.Store(&now)
	a.logFinding(before, now, f)
	if now.risen && !before.risen {
		a.rise(ctx)
	}
	if now.status != before.status {
		a.registrar.Poke()
	}
	return now
}

// rise has a program registered that is healthy for the first time. Two who
// register the same instance would take it from each other for ever, so one
// that does so itself is left to it.
func (a *Attendant) rise(ctx context.Context) {
	as, itself := a.identify(ctx)
	switch {
	case ctx.Err() != nil:
	case itself:
		a.log.Info("the program registers itself, so it is not registered for it", "as", as)
		close(a.itself)
	default:
		close(a.healthy)
	}
}

// patience is how long a program may take to start before somebody is told
// that it is not healthy yet.
const patience = 2 * time.Second

func (a *Attendant) logFinding(before, now verdict, f finding) {
	switch {
	case !now.risen:
		a.logUnwell(f)
	case !before.risen:
		a.log.Debug("healthy", "checks", now.checks)
	case now.status != before.status && now.status == registry.Passing:
		a.log.Info("healthy again")
	case now.status != before.status:
		a.log.Warn("health check says otherwise", "status", string(now.status), "reason", now.reason)
	}
}

// logUnwell tells a reason once, and again when it is another one.
func (a *Attendant) logUnwell(f finding) {
	if f.good() || f.reason == a.told || time.Since(a.began) < patience {
		return
	}
	a.told = f.reason
	a.log.Warn("not registered yet", "reason", f.reason)
}
