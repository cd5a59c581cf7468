package bridge

import (
	"sync"
	"time"

	"fairlead.dev/registry"
)

const (
	// keepLease is how long an unused lease is remembered. Atlas gives up on
	// an instance that answers but sends no heartbeats sooner.
	keepLease = 2 * time.Hour
	// sweepEvery is how often unused leases are looked for.
	sweepEvery = time.Minute
)

// A lease is what a heartbeat or a deregistration has to name.
type lease struct{ incarnation, token string }

type heldLease struct {
	lease
	used time.Time
}

// leases remembers those that were asked for here, so that a program that only
// knows how to call a URL can keep its own. It lives as long as the process:
// a program that is not remembered registers again.
type leases struct {
	mu    sync.Mutex
	held  map[registry.Key]heldLease
	swept time.Time
}

func newLeases() *leases { return &leases{held: map[registry.Key]heldLease{}} }

func (l *leases) put(key registry.Key, held lease, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	l.held[key] = heldLease{lease: held, used: now}
}

// complete returns given with what is missing in it filled in, and whether a
// token is known.
func (l *leases) complete(key registry.Key, given lease, now time.Time) (lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.held[key]; ok {
		held.used = now
		l.held[key] = held
		if given.incarnation == "" {
			given.incarnation = held.incarnation
		}
		if given.token == "" {
			given.token = held.token
		}
	}
	return given, given.token != ""
}

// forget drops a lease that has ended, unless a newer one has taken its place.
func (l *leases) forget(key registry.Key, ended lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[key].lease == ended {
		delete(l.held, key)
	}
}

func (l *leases) sweep(now time.Time) {
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	for key, held := range l.held {
		if now.Sub(held.used) > keepLease {
			delete(l.held, key)
		}
	}
}
