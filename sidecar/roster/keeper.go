package roster

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/attend"
)

// A keeper attends one declared instance, in a goroutine of its own.
type keeper struct {
	wish
	attendant *attend.Attendant
	leave     context.CancelFunc
	ended     chan struct{}
	leaving   bool // of the roster's goroutine
}

func (r *Roster) keep(w wish, known registry.Status) (*keeper, error) {
	attendant, err := attend.New(attend.Options{
		Spec: w.spec, Known: known, Logger: r.opts.Logger,
		Atlas: r.opts.Atlas, Beater: r.opts.Beater, OnConnect: r.opts.OnConnect,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{wish: w, attendant: attendant, leave: cancel, ended: make(chan struct{})}
	go func() {
		defer close(k.ended)
		if err := attendant.Run(ctx); err != nil {
			r.log.Warn("not deregistered; the registry will notice", "file", w.file, "instance", w.spec.Key.String(), "error", err)
		}
	}()
	return k, nil
}

// withdraw drains and deregisters, and returns at once; ended tells when it is
// done. Cutting ctx short leaves the rest out.
func (k *keeper) withdraw(ctx context.Context, delay time.Duration, tasks *sync.WaitGroup) {
	k.leaving = true
	tasks.Go(func() {
		k.attendant.Withdraw(ctx, delay)
		k.leave()
		<-k.ended
	})
}

// abandon ends without a word to the registry, and returns when that is done.
func (k *keeper) abandon() {
	k.attendant.Abandon()
	k.leave()
	<-k.ended
}

func (k *keeper) isEnded() bool {
	select {
	case <-k.ended:
		return true
	default:
		return false
	}
}

// status returns what is known of the instance's health. One that the registry
// refuses is of no use to anybody, however well it is.
func (k *keeper) status() (registry.Status, string) {
	if k.leaving {
		return registry.Draining, ""
	}
	status, reason := k.attendant.Status()
	problem := k.attendant.Problem()
	if status == registry.Critical || problem == nil || errors.Is(problem, registry.ErrUnavailable) {
		return status, reason
	}
	return registry.Critical, problem.Error()
}

// A step is what to do about one instance.
type step int

const (
	nothing step = iota
	begin
	// renew has the same endpoint attended differently: nobody is to notice.
	renew
	// end drains first; what should be there instead follows when it is gone.
	end
	// forget is for one that has ended.
	forget
)

// next decides about an instance that is running, wanted, or both.
func next(running *keeper, wanted *wish) step {
	switch {
	case running == nil:
		return begin
	case running.leaving && running.isEnded():
		return forget
	case running.leaving:
		return nothing
	case wanted == nil:
		return end
	case reflect.DeepEqual(running.spec, wanted.spec):
		return nothing
	case sameEndpoint(running.spec.Registration, wanted.spec.Registration) && !running.isEnded():
		return renew
	}
	return end
}

func sameEndpoint(a, b registry.Registration) bool {
	return a.Scheme == b.Scheme && a.Host == b.Host && a.Port == b.Port
}
