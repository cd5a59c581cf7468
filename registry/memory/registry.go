package memory

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// Options of a registry. The zero value has the terms of Atlas.
type Options struct {
	// Every and TTL are the terms of leases: 2 s and 6 s by default.
	Every, TTL time.Duration
	// Answers stands in for the probe of an endpoint ("http://host:port").
	// With nil the lease alone decides: a conflict lasts as long as the lease,
	// and a lease that ends evicts. Otherwise another endpoint takes an id
	// over as soon as the old one stops answering, and an instance that
	// answers is kept as a suspect when its lease ends. It is called with the
	// registry locked, so it must not call back.
	Answers func(endpoint string) bool
}

// A Registry implements [registry.Atlas], [registry.Beater] and
// [registry.Source]. Its methods may be called concurrently.
type Registry struct {
	every, ttl time.Duration
	answers    func(string) bool

	mu        sync.Mutex
	epoch     string
	sequence  uint64
	slots     map[registry.Key]*slot
	tables    map[string]*registry.Table
	listeners map[*listener]struct{}
	connects  map[*func()]struct{}
	settings  settings
	away      bool
	dropNext  bool
	beats     int
	closed    bool
}

var (
	_ registry.Atlas  = (*Registry)(nil)
	_ registry.Beater = (*Registry)(nil)
	_ registry.Source = (*Registry)(nil)
)

// New returns an empty registry.
func New(opts Options) *Registry {
	r := &Registry{
		every:     cmp.Or(opts.Every, 2*time.Second),
		ttl:       cmp.Or(opts.TTL, 6*time.Second),
		answers:   opts.Answers,
		listeners: map[*listener]struct{}{},
		connects:  map[*func()]struct{}{},
		settings:  newSettings(),
	}
	r.forget()
	return r
}

// Close stops the timers and every listener's goroutine. Later requests find
// the registry unavailable.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	for _, s := range r.slots {
		s.stopTimers()
	}
	var stops []func()
	for l := range r.listeners {
		stops = append(stops, l.stop)
	}
	for l := range r.settings.listeners {
		stops = append(stops, l.stop)
	}
	r.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// forget begins an epoch with nothing in it.
func (r *Registry) forget() {
	for _, s := range r.slots {
		s.stopTimers()
	}
	r.epoch, r.sequence = randomID(), 0
	r.slots = map[registry.Key]*slot{}
	r.tables = map[string]*registry.Table{}
	r.settings.forget()
}

func (r *Registry) revision() registry.Revision {
	return registry.Revision{Epoch: r.epoch, Sequence: r.sequence}
}

func (r *Registry) available() error {
	if r.away || r.closed {
		return fmt.Errorf("memory registry: %w", registry.ErrUnavailable)
	}
	return nil
}

// table returns a realm's table as of now, never nil.
func (r *Registry) table(realm string) *registry.Table {
	t := r.tables[realm]
	if t == nil {
		t = registry.NewTable(realm, r.epoch)
	}
	return t.At(r.revision())
}

func randomID() string { return rand.Text()[:12] }
