package registrar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"fairlead.dev/registry"
)

// ErrStopped is what Registered and Drain return once the registrar has been
// stopped.
var ErrStopped = errors.New("registrar is stopped")

// Options of a registrar. Atlas, Key and Registration are required.
type Options struct {
	Atlas registry.Atlas
	// Beater sends the heartbeats that need no answer. With nil every
	// heartbeat is a request.
	Beater registry.Beater

	Key          registry.Key
	Registration registry.Registration
	// Incarnation names this life of the instance; empty makes a random one.
	Incarnation string

	// Health is asked before each heartbeat: the instance's status, how many
	// requests it is serving, and its load. It must not block. With nil the
	// instance is always passing.
	Health func() (status registry.Status, inFlight int, load float64)

	// OnConnect has a function called after each connection to the bus, the
	// moment to ask whether the registry still knows the instance. May be nil.
	OnConnect func(func()) (remove func())

	Logger *slog.Logger // nil: slog.Default()
}

// A Registrar keeps one instance registered. Its methods may be called
// concurrently.
type Registrar struct {
	opts   Options
	life   registry.Life
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	wake     chan struct{} // something changed: look at the flags below
	reconn   atomic.Bool   // a connection was made since the last request
	draining atomic.Bool

	inflight interruptible

	first   *outcome // of the first registration
	drained *outcome
	done    chan struct{}
	lease   atomic.Pointer[registry.Lease]
	problem atomic.Pointer[error] // of the last registration, maybe none

	starting sync.Once
	stopping sync.Once
	stopErr  error
}

// New checks the options. The error lists every field that is wrong, as
// [registry.FieldErrors].
func New(opts Options) (*Registrar, error) {
	opts.Registration = opts.Registration.WithDefaults()
	var errs registry.FieldErrors
	errs.Add(opts.Key.Validate())
	errs.Add(opts.Registration.Validate())
	if opts.Atlas == nil {
		errs.Addf("atlas", "must be given")
	}
	if err := errs.Err(); err != nil {
		return nil, fmt.Errorf("registrar: %w", err)
	}
	life := registry.Life{Incarnation: opts.Incarnation}.WithDefaults()
	opts.Incarnation = life.Incarnation
	if opts.Health == nil {
		opts.Health = func() (registry.Status, int, float64) { return registry.Passing, 0, 0 }
	}
	r := &Registrar{
		opts:    opts,
		life:    life,
		log:     cmp.Or(opts.Logger, slog.Default()).With("component", "registrar", "instance", opts.Key.String()),
		wake:    make(chan struct{}, 1),
		first:   newOutcome(),
		drained: newOutcome(),
		done:    make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Incarnation returns the id of this life of the instance.
func (r *Registrar) Incarnation() string { return r.opts.Incarnation }

// Lease returns the lease held now; ok is false while there is none.
func (r *Registrar) Lease() (lease registry.Lease, ok bool) {
	l := r.lease.Load()
	if l == nil {
		return registry.Lease{}, false
	}
	return *l, true
}

// Start begins to register, in the background.
func (r *Registrar) Start() {
	r.starting.Do(func() { go r.run() })
}

// Run keeps the instance registered until ctx is done, then deregisters. The
// error is that of Stop.
func (r *Registrar) Run(ctx context.Context) error {
	r.Start()
	select {
	case <-ctx.Done():
	case <-r.done: // somebody else stopped it
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deregisterTimeout)
	defer cancel()
	return r.Stop(stopCtx)
}

// Done is closed when the registrar has ended, because of Stop or Abandon.
func (r *Registrar) Done() <-chan struct{} { return r.done }

// Registered waits until the instance is registered for the first time. The
// error is the registry's refusal ([registry.FieldErrors] or
// [registry.ErrConflict]), after which the registrar goes on trying, or ctx's
// error together with what kept the registry from answering.
func (r *Registrar) Registered(ctx context.Context) error {
	return r.first.wait(ctx, r.done, "register "+r.opts.Key.String())
}

// Poke has Health asked at once, and a heartbeat sent if the status changed.
func (r *Registrar) Poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Drain reports the instance as draining from now on, and waits until the
// registry has heard of it. An instance that is not registered is not drained
// either, and will not be registered any more.
func (r *Registrar) Drain(ctx context.Context) error {
	r.draining.Store(true)
	r.Poke()
	return r.drained.wait(ctx, r.done, "drain "+r.opts.Key.String())
}

// Stop ends the heartbeats and deregisters, bounded by ctx and two seconds. It
// returns when both are done; later calls return the same.
func (r *Registrar) Stop(ctx context.Context) error {
	r.stopping.Do(func() {
		r.cancel()
		r.starting.Do(func() { close(r.done) })
		<-r.done
		r.stopErr = r.deregister(ctx)
	})
	return r.stopErr
}

// Abandon ends the heartbeats and leaves the registration as it is, for whoever
// takes the instance over: a registration of the same endpoint replaces it, and
// without one the registry finds out by itself. It returns when the last
// heartbeat has ended. A later Stop deregisters nothing.
func (r *Registrar) Abandon() {
	r.stopping.Do(func() {
		r.cancel()
		r.starting.Do(func() { close(r.done) })
		<-r.done
	})
}

func (r *Registrar) deregister(ctx context.Context) error {
	lease, ok := r.Lease()
	if !ok {
		return nil
	}
	r.lease.Store(nil)
	ctx, cancel := context.WithTimeout(ctx, deregisterTimeout)
	defer cancel()
	err := r.opts.Atlas.Deregister(ctx, r.opts.Key, lease.Incarnation, lease.Token)
	if err == nil || errors.Is(err, registry.ErrStale) || errors.Is(err, registry.ErrUnknown) {
		return nil // gone, or another life's: either way not ours any more
	}
	return wrap("deregister "+r.opts.Key.String(), err)
}

// Problem returns why the instance is not registered: what became of the last
// attempt. It is nil while the instance is registered, and before the first
// attempt has ended. Those that wrap [registry.ErrUnavailable] pass by
// themselves; the others are refusals, which somebody has to see to.
func (r *Registrar) Problem() error {
	err := r.problem.Load()
	if err == nil {
		return nil
	}
	return wrap("register "+r.opts.Key.String(), *err)
}
