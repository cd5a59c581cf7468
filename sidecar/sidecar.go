package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/registry"
)

// Options of a sidecar. The zero value is what a host wants.
type Options struct {
	// Logger is told of failures and recoveries; nil means slog.Default.
	Logger *slog.Logger
	// ApplyTimeout bounds one Apply; the default is 10 s.
	ApplyTimeout time.Duration
	// MaxBackoff bounds the pause after failures of Apply, which doubles from
	// 100 ms with full jitter; the default is 10 s.
	MaxBackoff time.Duration
	// Explainer is asked for what only Atlas knows when somebody wants an
	// explanation; nil does without.
	Explainer registry.Explainer
	// Version is that of the program, for the status.
	Version string
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ApplyTimeout <= 0 {
		o.ApplyTimeout = 10 * time.Second
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 10 * time.Second
	}
	return o
}

// A Sidecar keeps one data plane equal to what a watcher yields.
type Sidecar struct {
	plane   DataPlane
	watcher registry.Watcher
	opts    Options
	log     *slog.Logger

	since time.Time

	mu     sync.Mutex
	status Status
	// applying is when the Apply that has not returned yet began.
	applying time.Time
	running  bool // the plane
}

// New returns a sidecar that does nothing until Run.
func New(plane DataPlane, watcher registry.Watcher, opts Options) *Sidecar {
	opts = opts.withDefaults()
	return &Sidecar{plane: plane, watcher: watcher, opts: opts, log: opts.Logger.With("component", "sidecar"), since: time.Now()}
}

// Run runs the plane and keeps it equal to the table until ctx ends, and
// returns once both have stopped: nil after ctx ended, or the plane's error.
// It takes as long as the plane takes to finish what is in flight. Call it
// once.
func (s *Sidecar) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.runPlane(ctx) })
	group.Go(func() error { s.follow(ctx); return nil })
	return group.Wait()
}

// runPlane makes the plane's end the end of everything: a sidecar whose plane
// is gone carries nothing, and its supervisor should know.
func (s *Sidecar) runPlane(ctx context.Context) error {
	s.setRunning(true)
	defer s.setRunning(false)
	err := s.plane.Run(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("run data plane: %w", err)
	case ctx.Err() == nil:
		return fmt.Errorf("run data plane: it ended without being asked to")
	}
	return nil
}

func (s *Sidecar) setRunning(to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = to
}

func (s *Sidecar) follow(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		table, newer := s.watcher.Table()
		if err := s.apply(ctx, table); err != nil {
			failures++
			pause(ctx, backoff(failures, s.opts.MaxBackoff))
			continue
		}
		failures = 0
		select {
		case <-newer:
		case <-ctx.Done():
		}
	}
}

func (s *Sidecar) apply(ctx context.Context, table *registry.Table) error {
	if !confirmed(table) {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.ApplyTimeout)
	defer cancel()
	s.begin()
	err := s.plane.Apply(bounded, table)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	before := s.record(table, err)
	switch {
	case err != nil:
		s.log.Warn("data plane refused a table", "revision", table.Revision, "failures", before.Failures+1, "error", err)
	case before.Failures > 0:
		s.log.Info("data plane took a table again", "revision", table.Revision, "failures", before.Failures)
	}
	return err
}

func (s *Sidecar) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applying = time.Now()
}

// confirmed tells whether somebody ever vouched for a table: the registry, or
// a cache of what it said. The empty table of a process that has heard nothing
// yet must not empty a plane that still carries requests from before.
func confirmed(t *registry.Table) bool {
	return !t.Updated.IsZero() || t.Len() > 0
}

const firstBackoff = 100 * time.Millisecond

// backoff returns the pause after so many failures in a row: full jitter below
// a bound that doubles, and never less than a tenth of it.
func backoff(failures int, most time.Duration) time.Duration {
	bound := min(firstBackoff<<min(failures-1, 16), most)
	return bound/10 + rand.N(bound-bound/10)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
