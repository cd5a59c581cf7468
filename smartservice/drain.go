package smartservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// announceTimeout bounds each step of stopping that asks the control
	// plane, which may be away.
	announceTimeout = 2 * time.Second
	// tidyTimeout bounds each step that no request depends on.
	tidyTimeout = 5 * time.Second
)

// Stop takes the service out of service without losing a request: it has the
// registry told, serves on for DrainDelay, deregisters, and waits up to
// ShutdownTimeout for what is in flight. When ctx ends, the delay does too.
// Stop returns when every goroutine of the service has ended; later calls wait
// for that and return the same. An absent control plane is logged and is no
// error; requests that had to be cut are one.
func (a *App) Stop(ctx context.Context) error {
	l := a.current()
	if l == nil {
		return nil
	}
	l.stopping.Do(func() {
		l.drain(ctx)
		l.stopErr = l.tearDown(ctx)
		l.log.Info("stopped")
	})
	return l.stopErr
}

// drain lets everybody go elsewhere while everything is still answered.
func (l *life) drain(ctx context.Context) {
	l.log.Info("draining", "delay", max(l.options.DrainDelay, 0).String())
	close(l.draining)
	l.announce(ctx, l.registrar.Drain)
	delay := time.NewTimer(l.options.DrainDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
}

// announce tells the registry something that need not succeed: if it is away,
// its leases end this instance's as well.
func (l *life) announce(ctx context.Context, tell func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	if err := tell(ctx); err != nil {
		l.log.Warn("registry was not told", "error", err)
	}
}

// tearDown undoes, last first, whatever was brought up.
func (l *life) tearDown(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, undo := range slices.Backward(l.undo) {
		errs = append(errs, undo(ctx))
	}
	return errors.Join(errs...)
}

// later has a step undone at the end, with a bound of its own.
func (l *life) later(what string, within time.Duration, undo func(context.Context) error) {
	l.undo = append(l.undo, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if err := undo(ctx); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

// deregister leaves the registry. That it is away is no failure of ours.
func (l *life) deregister(ctx context.Context) error {
	l.announce(ctx, l.registrar.Stop)
	return nil
}

// unusedFor is how long a connection may keep a request to itself at least
// before the end of a service without a drain delay takes it for unused.
const unusedFor = 100 * time.Millisecond

// shutDown closes the listener, waits for what is in flight as long as ctx
// allows, and cuts the rest.
func (l *life) shutDown(ctx context.Context) error {
	l.fresh.closeOlder(max(l.options.DrainDelay/2, unusedFor))
	err := l.server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("%d requests were cut: %w", l.telemetry.inFlight.Load(), err)
	}
	l.abandon()
	if closeErr := l.server.Close(); err != nil {
		err = errors.Join(err, closeErr)
	}
	l.serving.Wait()
	return err
}

// waitFor waits for work that may not heed its context, as long as ctx allows.
func waitFor(ctx context.Context, wait func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
