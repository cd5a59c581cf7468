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
	digest  digest
	points  points

	admission admission

	current atomic.Pointer[view]
	mu      sync.Mutex
}

func newBalancer(service string, o Options) *balancer {
	b := &balancer{service: service, options: o, log: o.Logger, budget: newBudget(o.Budget),
		points: points{realm: o.Realm, service: service}}
	b.admission.start(o)
	return b
}

// view returns the prepared form of what the resolver yielded. Requests that
// still hold an older one may turn it back for a moment; loads survive that.
func (b *balancer) view(s *registry.Service, now time.Duration) (*view, error) {
	if v := b.current.Load(); v != nil && v.of == s {
		return v, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.current.Load()
	if before != nil && before.of == s {
		return before, nil
	}
	v, err := newView(s, b.options, before, now)
	if err != nil {
		return nil, err
	}
	b.current.Store(v)
	return v, nil
}

// pick chooses an endpoint that was not tried, nil if all were. When only
// ejected ones are left it uses those: a doubtful instance is better than none.
func (v *view) pick(now time.Duration, tried []life) *endpoint {
	for i := int(v.widened.Load()); i < len(v.groups); i++ {
		if e := v.groups[i].pick(now, tried); e != nil {
			return e
		}
	}
	return v.groups[len(v.groups)-1].untried(tried)
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
	var was int32
	if e.load.fails.Load() != 0 { // write only what changes: others read it
		was = e.load.fails.Swap(0)
	}
	back := e.load.ejected.away() && e.load.ejected.recovered()
	if back {
		b.log.Info("instance is back", "service", b.service, "instance", e.instance.ID)
	}
	if back || was >= failsToEject {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.assess()
	}
}

// failed notes a failure that counts against an instance, and ejects it if
// that is due. It tells whether it did.
func (b *balancer) failed(e *endpoint, now time.Duration) bool {
	fails := e.load.fails.Add(1)
	if fails < failsToEject {
		return false
	}
	if v := b.current.Load(); fails > failsToEject && v != nil && v.panicking.Load() {
		return false // when everything fails, this is not the place to queue
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.assess()
	return b.judge(e, now, true)
}

// slowed notes an answer that was slow, or did not come for long. It tells
// whether it ejected the instance.
func (b *balancer) slowed(e *endpoint, now time.Duration) bool {
	enough := e.load.slow.note(true, now)
	if !enough && !e.load.ejected.away() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.assess()
	return b.judge(e, now, enough)
}

// judge ejects an instance that deserves it, if that is allowed. The lock is
// held.
func (b *balancer) judge(e *endpoint, now time.Duration, deserved bool) bool {
	if e.load.ejected.away() {
		return b.failedProbe(e, now)
	}
	v := b.current.Load()
	if v == nil || v.panicking.Load() || !deserved || !mayEject(v.away(), v.size()) {
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

// assess has the view look where picking begins. The lock is held.
func (b *balancer) assess() {
	v := b.current.Load()
	if v == nil || !v.assess() || v.size() == 1 {
		return
	}
	if v.panicking.Load() {
		b.log.Warn("fewer than half of the instances are well: using all", "service", b.service, "instances", v.size())
		return
	}
	b.log.Info("half of the instances are well again", "service", b.service, "instances", v.size())
}
