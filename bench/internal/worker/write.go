package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/systems"
)

// FlipArgs name an instance and what becomes of it.
type FlipArgs struct {
	Instance systems.Instance
	Enabled  bool
	// Insist repeats the flip until it is acknowledged, for as long as this.
	Insist time.Duration
}

// A Span is when something was begun and when it was acknowledged.
type Span struct{ Began, Ended clock.Instant }

// insistPace is how soon a write that failed is tried again, and attempt how
// long one may take.
const (
	insistPace = 5 * time.Millisecond
	attempt    = 500 * time.Millisecond
)

// Flip flips one instance.
func (s *Service) Flip(args FlipArgs, span *Span) error {
	ctx, cancel := bounded()
	defer cancel()
	if args.Insist > 0 {
		ctx, cancel = context.WithTimeout(ctx, args.Insist)
		defer cancel()
	}
	span.Began = clock.Now()
	err := s.flip(ctx, args)
	span.Ended = clock.Now()
	return err
}

func (s *Service) flip(ctx context.Context, args FlipArgs) error {
	if args.Insist == 0 {
		return s.conns[0].Flip(ctx, args.Instance, args.Enabled)
	}
	for {
		err := tryOnce(ctx, func(ctx context.Context) error { return s.conns[0].Flip(ctx, args.Instance, args.Enabled) })
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(insistPace):
		}
	}
}

func tryOnce(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return do(ctx)
}

// FlipsArgs are many flips by many writers at once.
type FlipsArgs struct {
	Instances []systems.Instance
	Writers   int
	// Each is how often each instance is flipped.
	Each int
}

// Flips flips every instance equally often, each instance by one writer, one
// after the other. They begin enabled.
func (s *Service) Flips(args FlipsArgs, span *Span) error {
	ctx, cancel := bounded()
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	span.Began = clock.Now()
	for w := range args.Writers {
		group.Go(func() error { return s.flipShare(ctx, args, w) })
	}
	err := group.Wait()
	span.Ended = clock.Now()
	return err
}

func (s *Service) flipShare(ctx context.Context, args FlipsArgs, writer int) error {
	for n := range args.Each {
		for i := writer; i < len(args.Instances); i += args.Writers {
			conn := s.conns[writer%len(s.conns)]
			if err := conn.Flip(ctx, args.Instances[i], n%2 == 1); err != nil {
				return fmt.Errorf("flip %s: %w", args.Instances[i].ID, err)
			}
		}
	}
	return nil
}

// RegisterArgs are registrations by many registrars at once, a connection
// each, one after the other.
type RegisterArgs struct {
	Registrars int
	Services   int
	// WarmUp is how many each registers before the time begins.
	WarmUp int
	For    time.Duration
}

// Registered is how many registrations were acknowledged, and when.
type Registered struct {
	Count int
	Span  Span
}

// Register registers new instances for a time.
func (s *Service) Register(args RegisterArgs, done *Registered) error {
	ctx, cancel := bounded()
	defer cancel()
	err := s.eachRegistrar(args, func(r, n int) (bool, error) {
		return n+1 < args.WarmUp, s.registerOne(ctx, args, r, n, "warm")
	})
	if err != nil {
		return err
	}
	var count atomic.Int64
	began := clock.Now()
	err = s.eachRegistrar(args, func(r, n int) (bool, error) {
		if err := s.registerOne(ctx, args, r, n, "i"); err != nil {
			return false, err
		}
		count.Add(1)
		return clock.Now().Sub(began) < args.For, nil
	})
	*done = Registered{Count: int(count.Load()), Span: Span{began, clock.Now()}}
	return err
}

func (s *Service) eachRegistrar(args RegisterArgs, step func(registrar, n int) (more bool, err error)) error {
	var group errgroup.Group
	for r := range args.Registrars {
		group.Go(func() error {
			for n := 0; ; n++ {
				if more, err := step(r, n); err != nil || !more {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func (s *Service) registerOne(ctx context.Context, args RegisterArgs, registrar, n int, kind string) error {
	in := systems.Instance{
		Service: fmt.Sprintf("service%03d", (registrar+n)%args.Services),
		ID:      fmt.Sprintf("%s%04d-%d", kind, registrar, n), Port: s.answer.port,
	}
	return s.conns[registrar%len(s.conns)].Register(ctx, in)
}
