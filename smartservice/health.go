package smartservice

import (
	"context"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// health is what an instance knows of its own fitness.
type health struct {
	key      registry.Key
	version  string
	checks   []*check
	draining <-chan struct{} // closed when draining begins

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// start runs every check in a goroutine of its own until stop, and returns
// when each has run once or has had its time; changed is called from the
// goroutines when an outcome changes after that.
func (h *health) start(changed func()) {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	for _, c := range h.checks {
		h.running.Go(func() { c.keepRunning(ctx, changed) })
	}
	limit := time.NewTimer(checkTimeout)
	defer limit.Stop()
	for _, c := range h.checks {
		select {
		case <-c.ran:
		case <-limit.C:
			return
		}
	}
}

// stop ends the checks and waits for those that are running.
func (h *health) stop(ctx context.Context) error {
	h.cancel()
	return waitFor(ctx, h.running.Wait)
}

// outcome is the worst of all checks.
func (h *health) outcome() Outcome {
	all := Pass
	now := time.Now()
	for _, c := range h.checks {
		all = worst(all, c.verdict(now).outcome)
	}
	return all
}

func (h *health) isDraining() bool {
	select {
	case <-h.draining:
		return true
	default:
		return false
	}
}

// ready is the outcome for new requests: a service that drains wants none.
func (h *health) ready() Outcome {
	if h.isDraining() {
		return Fail
	}
	return h.outcome()
}

// status is the outcome in the registry's words.
func (h *health) status() registry.Status {
	if h.isDraining() {
		return registry.Draining
	}
	switch h.outcome() {
	case Fail:
		return registry.Critical
	case Warn:
		return registry.Warning
	}
	return registry.Passing
}
