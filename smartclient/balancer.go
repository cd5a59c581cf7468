package smartclient

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// A balancer chooses among one service's instances. Picking takes no lock and
// allocates nothing; the lock is for what happens when the view changes or an
// instance is ejected.
type balancer struct {
	service string
	options Options
	log     *slog.Logger
	budget  *budget

	current atomic.Pointer[view]
	mu      sync.Mutex
}

func newBalancer(service string, o Options) *balancer {
	return &balancer{service: service, options: o, log: o.Logger, budget: newBudget(o.Budget)}
}

// view returns the prepared form of what the resolver yielded. Requests that
// still hold an older one may turn it back for a moment; loads survive that.
func (b *balancer) view(s *registry.Service) (*view, error) {
	if v := b.current.Load(); v != nil && v.of == s {
		return v, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var before map[life]*load
	if v := b.current.Load(); v != nil {
		if v.of == s {
			return v, nil
		}
		before = v.loads
	}
	v, err := newView(s, b.options, before)
	if err != nil {
		return nil, err
	}
	b.current.Store(v)
	return v, nil
}

// pick chooses an endpoint that was not tried, nil if all were. When only
// ejected ones are left it uses those: a doubtful instance is better than none.
func (v *view) pick(now time.Duration, tried []life) *endpoint {
	for i := range v.groups {
		if e := v.groups[i].pick(now, tried); e != nil {
			return e
		}
	}
	for i := range v.groups {
		if e := v.groups[i].untried(tried); e != nil {
			return e
		}
	}
	return nil
}

// untried takes any endpoint that was not tried, ejected or not.
func (g *group) untried(tried []life) *endpoint {
	n := len(g.endpoints)
	from := rand.IntN(n)
	for i := range n {
		if e := &g.endpoints[(from+i)%n]; !wasTried(e, tried) {
			return e
		}
	}
	return nil
}

// answered notes an answer that does not speak against an instance.
func (b *balancer) answered(e *endpoint) {
	if e.load.fails.Load() != 0 { // write only what changes: others read it
		e.load.fails.Store(0)
	}
	if e.load.ejected.away() && e.load.ejected.recovered() {
		b.log.Info("instance is back", "service", b.service, "instance", e.instance.ID)
	}
}

// failed notes a failure that counts against an instance, and ejects it if
// that is due. It tells whether it did.
func (b *balancer) failed(e *endpoint, now time.Duration) bool {
	fails := e.load.fails.Add(1)
	if fails < failsToEject {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.load.ejected.away() {
		return b.failedProbe(e, now)
	}
	if v := b.current.Load(); v == nil || !mayEject(fails, v.away(), v.count) {
		return false
	}
	b.eject(e, now)
	return true
}

// failedProbe ejects once more, unless the failure is one of several requests
// that were under way when the instance was ejected.
func (b *balancer) failedProbe(e *endpoint, now time.Duration) bool {
	if !e.load.ejected.probing.Load() {
		return false
	}
	b.eject(e, now)
	return true
}

func (b *balancer) eject(e *endpoint, now time.Duration) {
	d := e.load.ejected.eject(now)
	b.log.Warn("instance ejected", "service", b.service, "instance", e.instance.ID, "addr", e.addr, "for", d)
}
