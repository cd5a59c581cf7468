package builtin

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/httpserver"
	"fairlead.dev/sidecar/route"
	"fairlead.dev/smartclient"
)

// DefaultAddr is where a plane without a listener of its own listens.
const DefaultAddr = "127.0.0.1:4000"

// Options of a plane. The zero value listens on [DefaultAddr] and knows what
// is applied to it.
type Options struct {
	// Realm is that of the tables.
	Realm string
	// Listener is where to listen; the plane closes it.
	Listener net.Listener
	// Resolver is asked for services that the applied table lacks, so that a
	// host can follow services from their first use on. Nil: they are unknown.
	Resolver registry.Resolver
	// Hosts are further host names under which this listener is reached, such
	// as a container's. Loopback, IP addresses and names without a dot go
	// without saying.
	Hosts []string
	// Grace is how long requests in flight may take to end on a stop; the
	// default is 10 s.
	Grace time.Duration
	// Logger is slog.Default by default.
	Logger *slog.Logger
	// Zone is where this host stands; instances of the same zone come first.
	Zone string
	// MeterProvider and TracerProvider default to OpenTelemetry's globals.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
	// Own answers requests for its patterns that are addressed to this listener
	// and name no service: its health and its metrics. Nil: they are refused.
	Own *http.ServeMux
	// Transport replaces the smart client's transport, in tests.
	Transport http.RoundTripper
}

// A Plane is the built-in data plane. It is a sidecar.DataPlane, the
// http.Handler that it serves, and the registry.Resolver of its own requests.
type Plane struct {
	opts      Options
	front     route.Front
	forwarder *Forwarder
	table     atomic.Pointer[registry.Table]
}

// New returns a plane that listens once it runs.
func New(opts Options) (*Plane, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	p := &Plane{opts: opts, front: route.Front{Realm: opts.Realm, Hosts: lower(opts.Hosts)}}
	transport := opts.Transport
	if transport == nil {
		transport = smartclient.NewTransport(smartclient.Options{
			Realm: opts.Realm, Resolver: p, Zone: opts.Zone, Retry: smartclient.RetryUnsent,
			Logger: opts.Logger, MeterProvider: opts.MeterProvider, TracerProvider: opts.TracerProvider,
		})
	}
	var err error
	p.forwarder, err = NewForwarder(transport, ForwarderOptions{Logger: opts.Logger, MeterProvider: opts.MeterProvider})
	return p, err
}

func lower(hosts []string) []string {
	hosts = slices.Clone(hosts)
	for i, h := range hosts {
		hosts[i] = strings.ToLower(h)
	}
	return hosts
}

// Run serves until ctx ends, then stops listening and gives requests in
// flight Options.Grace to end.
func (p *Plane) Run(ctx context.Context) error {
	listener, err := p.listen(ctx)
	if err != nil {
		return err
	}
	defer p.closeIdle()
	return httpserver.Run(ctx, listener, p, httpserver.Options{Logger: p.opts.Logger, Grace: p.opts.Grace})
}

func (p *Plane) listen(ctx context.Context) (net.Listener, error) {
	if p.opts.Listener != nil {
		return p.opts.Listener, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", DefaultAddr)
	if err != nil {
		return nil, fmt.Errorf("listen for the sidecar: %w", err)
	}
	return listener, nil
}

// closeIdle gives back the connections to instances.
func (p *Plane) closeIdle() {
	if t, ok := p.forwarder.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Apply makes table the one that the next request sees.
func (p *Plane) Apply(_ context.Context, table *registry.Table) error {
	p.table.Store(table)
	return nil
}

// Resolve answers from the applied table, then by Options.Resolver.
func (p *Plane) Resolve(ctx context.Context, service string) (*registry.Service, error) {
	table := p.table.Load()
	s := table.Service(service)
	switch {
	case s.Len() > 0:
		return s, nil
	case p.opts.Resolver != nil:
		// Also if it is known to have no instance: asking is what keeps it
		// followed.
		return p.opts.Resolver.Resolve(ctx, service)
	case table == nil:
		return nil, registry.ErrNeverSeen
	}
	return nil, registry.ErrNoSuchService
}

// Explain tells what the smart client under the plane alone knows of the
// instances of a service.
func (p *Plane) Explain(service string) map[string]registry.Local {
	if t, ok := p.forwarder.transport.(*smartclient.Transport); ok {
		return t.Explain(service)
	}
	return nil
}

// answersItself tells whether a request is for the sidecar: by one of its own
// host names, and for a path that it serves.
func (p *Plane) answersItself(r *http.Request) bool {
	if p.opts.Own == nil || !p.front.ToSelf(r) {
		return false
	}
	_, pattern := p.opts.Own.Handler(r)
	return pattern != ""
}

// ServeHTTP forwards one request to the service it names.
func (p *Plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, refusal := p.front.Target(r)
	switch {
	case refusal != nil && p.answersItself(r):
		p.opts.Own.ServeHTTP(w, r)
		return
	case refusal != nil:
		fail(w, refusal)
		return
	}
	service, err := p.follow(r, target.Service)
	if err != nil {
		p.forwarder.Fail(w, r, service, err)
		return
	}
	p.forwarder.Forward(w, r, service, r.URL.EscapedPath())
}

// follow returns the service that the rules of the named one choose.
func (p *Plane) follow(r *http.Request, service string) (string, error) {
	rules, err := p.rules(r.Context(), service)
	if len(rules) > 0 {
		return route.Follow(rules, service, r, rand.IntN), nil
	}
	return service, err
}

// rules returns those of a service, which need not have instances for that. A
// service that is not in the table is followed from now on.
func (p *Plane) rules(ctx context.Context, service string) ([]registry.Rule, error) {
	if s := p.table.Load().Service(service); s != nil {
		return s.Meta.Rules, nil
	}
	s, err := p.Resolve(ctx, service)
	if err == nil {
		return s.Meta.Rules, nil
	}
	if followed, ok := p.opts.Resolver.(registry.Watcher); ok {
		table, _ := followed.Table()
		if s := table.Service(service); s != nil {
			return s.Meta.Rules, err
		}
	}
	return nil, err
}
