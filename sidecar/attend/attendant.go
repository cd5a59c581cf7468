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

	Logger *slog.Logger // nil: slog.Default()
}

// An Attendant attends one instance. Its methods may be called concurrently.
type Attendant struct {
	spec      Spec
	check     checker
	registrar *registrar.Registrar
	log       *slog.Logger

	verdict atomic.Pointer[verdict]
	healthy chan struct{} // closed at the first good verdict
	rise    sync.Once
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
		spec: spec, check: newChecker(spec), healthy: make(chan struct{}),
		log: log.With("component", "attend", "instance", spec.Key.String()),
	}
	a.verdict.Store(&verdict{})
	var err error
	a.registrar, err = registrar.New(registrar.Options{
		Atlas: opts.Atlas, Beater: opts.Beater, OnConnect: opts.OnConnect,
		Key: spec.Key, Registration: spec.Registration, Health: a.health, Logger: log,
	})
	return a, err
}

// Run checks until ctx ends, registers the instance once it is healthy, and
// deregisters it in the end. It returns early if the registry refuses the
// registration for good. Call it once.
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

// Status returns what the checks say now, and why if that is not passing.
func (a *Attendant) Status() (status registry.Status, reason string) {
	v := a.verdict.Load()
	return cmp.Or(v.status, registry.Critical), v.reason
}

// Registered waits until the instance is healthy and registered. The errors
// are those of [registrar.Registrar.Registered], or wrap [ErrNotHealthy].
func (a *Attendant) Registered(ctx context.Context) error {
	select {
	case <-a.healthy:
		return a.registrar.Registered(ctx)
	case <-ctx.Done():
		_, reason := a.Status()
		return fmt.Errorf("register %s: %w (%s): %w", a.spec.Key, ErrNotHealthy, reason, ctx.Err())
	}
}

// Drain reports the instance as draining from now on, and waits until the
// registry has heard of it. One that was never healthy has nobody to drain of:
// the error is [ErrNotHealthy].
func (a *Attendant) Drain(ctx context.Context) error {
	select {
	case <-a.healthy:
		return a.registrar.Drain(ctx)
	default:
		return fmt.Errorf("drain %s: %w", a.spec.Key, ErrNotHealthy)
	}
}

func (a *Attendant) health() (registry.Status, int, float64) {
	status, _ := a.Status()
	return status, 0, 0
}

func (a *Attendant) keepChecking(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		f := a.checkOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		timer.Reset(a.take(f).pause(a.spec.Check))
	}
}

func (a *Attendant) checkOnce(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, a.spec.Check.Timeout)
	defer cancel()
	return a.check(ctx)
}

// take folds a finding into the verdict, and has a change reported at once.
func (a *Attendant) take(f finding) verdict {
	before := *a.verdict.Load()
	now := before.after(f, a.spec.Check)
	a.verdict.Store(&now)
	a.logFinding(before, now, f)
	if now.healthy() {
		a.rise.Do(func() { close(a.healthy) })
	}
	if now.status != before.status {
		a.registrar.Poke()
	}
	return now
}

// patience is how many checks of a starting program go by before somebody is
// told that it is not healthy yet: about as many seconds as the interval has.
const patience = 15

func (a *Attendant) logFinding(before, now verdict, f finding) {
	switch {
	case !now.risen && now.checks == patience:
		a.log.Warn("not healthy yet, not registered", "reason", f.reason)
	case !now.risen:
	case !before.risen:
		a.log.Debug("healthy", "checks", now.checks)
	case now.status != before.status && now.status == registry.Passing:
		a.log.Info("healthy again")
	case now.status != before.status:
		a.log.Warn("health check says otherwise", "status", string(now.status), "reason", now.reason)
	}
}
