package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"fairlead.dev/sidecar/attend"
)

// A wrapper ties the life of a registration to that of a program.
type wrapper struct {
	program   *child
	attendant *attend.Attendant
	log       *slog.Logger

	drainDelay  time.Duration
	stopTimeout time.Duration
}

// run returns when the program has ended and is not registered any more, with
// its exit code, or with the registry's refusal.
func (w *wrapper) run(ctx context.Context) error {
	stopForwarding := w.program.forward(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer stopForwarding()
	attending, leave := context.WithCancel(context.WithoutCancel(ctx))
	left, registered := make(chan error, 1), make(chan error, 1)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { left <- w.attendant.Run(attending) })
	tasks.Go(func() { registered <- w.attendant.Registered(attending) })

	refusal := w.wait(ctx, registered)
	hurry, stopHurrying := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	defer stopHurrying()
	if refusal == nil {
		w.drain(hurry)
	}
	leave()
	if err := <-left; err != nil && refusal == nil {
		w.log.Warn("not deregistered; the registry will notice", "error", err)
	}
	w.program.stop(hurry, w.stopTimeout)
	if refusal != nil {
		return refusal
	}
	return w.program.exit()
}

// wait returns when there is something to do: the program has ended, it should
// end, or the registry refuses it, which is the error.
func (w *wrapper) wait(ctx context.Context, registered <-chan error) error {
	select {
	case <-w.program.done:
		return nil
	case <-ctx.Done():
		return nil
	case err := <-registered:
		if err != nil && !errors.Is(err, attend.ErrRegistersItself) {
			return err
		}
	}
	select {
	case <-w.program.done:
	case <-ctx.Done():
	}
	return nil
}

// drain has callers go elsewhere, and gives their tables time to follow.
// Nobody needs that of a program that has ended.
func (w *wrapper) drain(hurry context.Context) {
	if w.program.ended() {
		w.log.Info("program ended", "status", w.program.state())
		return
	}
	ctx, cancel := context.WithCancel(hurry)
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	withdrawn := make(chan struct{})
	defer close(withdrawn)
	watching.Go(func() {
		select {
		case <-w.program.done:
			cancel()
		case <-withdrawn:
		}
	})
	w.attendant.Withdraw(ctx, w.drainDelay)
}
