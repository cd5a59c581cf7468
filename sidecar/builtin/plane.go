package builtin

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/httpserver"
	"fairlead.dev/sidecar/problem"
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
	// Doors are further listeners, such as a unix socket or a service's own
	// port; the plane closes them too.
	Doors []Door
	// Realms are further realms that may be named by host, with what knows
	// their services.
	Realms map[string]registry.Resolver
	// ProxyOthers lets hosts that are no services pass, by HTTP and by tunnels
	// (CONNECT), for programs that can be given one proxy only.
	ProxyOthers bool
	// MaxConnections bounds the callers' connections to each listener. One more
	// takes the place of the one that has been idle for longest; where none is
	// idle it gets a problem, "overloaded". The default is 16,384.
	MaxConnections int
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
	realms    map[string]*Forwarder // of the further ones
	others    *others
	table     atomic.Pointer[registry.Table]
	full      atomic.Bool // at its own listener
}

// A Door is one more listener of a plane.
type Door struct {
	Listener net.Listener
	// Service has every request that comes here, whatever it names; "" is as
	// at the plane's own listener.
	Service string
}

const defaultConnections = 16 << 10

// New returns a plane that listens once it runs.
func New(opts Options) (*Plane, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.MaxConnections <= 0 {
		opts.MaxConnections = defaultConnections
	}
	p := &Plane{opts: opts, realms: map[string]*Forwarder{}, others: newOthers(opts.Logger)}
	p.front = route.Front{
		Realm: opts.Realm, Realms: slices.Sorted(maps.Keys(opts.Realms)), Hosts: lower(opts.Hosts), Others: opts.ProxyOthers,
	}
	var err error
	if p.forwarder, err = p.newForwarder(opts.Realm, p); err != nil {
		return nil, err
	}
	for realm, resolver := range opts.Realms {
		if p.realms[realm], err = p.newForwarder(realm, resolver); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Plane) newForwarder(realm string, resolver registry.Resolver) (*Forwarder, error) {
	o := p.opts
	transport := o.Transport
	if transport == nil {
		transport = smartclient.NewTransport(smartclient.Options{
			Realm: realm, Resolver: resolver, Zone: o.Zone, Retry: smartclient.RetryUnsent,
			Logger: o.Logger, MeterProvider: o.MeterProvider, TracerProvider: o.TracerProvider, MeasureInstances: true,
		})
	}
	return NewForwarder(transport, ForwarderOptions{Realm: realm, Logger: o.Logger, MeterProvider: o.MeterProvider})
}

func lower(hosts []string) []string {
	hosts = slices.Clone(hosts)
	for i, h := range hosts {
		hosts[i] = strings.ToLower(h)
	}
	return hosts
}

// linger is how long callers may use a connection once more at the end.
const linger = time.Second

// Run serves until ctx ends, then stops listening and gives requests in
// flight Options.Grace to end.
func (p *Plane) Run(ctx context.Context) error {
	listener, err := p.listen(ctx)
	if err != nil {
		return err
	}
	defer p.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.serve(ctx, Door{Listener: listener}, &p.full) })
	for _, door := range p.opts.Doors {
		group.Go(func() error { return p.serve(ctx, door, nil) })
	}
	return group.Wait()
}

func (p *Plane) serve(ctx context.Context, door Door, full *atomic.Bool) error {
	front := p.front
	front.Service = door.Service
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.handle(front, w, r) })
	return httpserver.Run(ctx, door.Listener, handler, httpserver.Options{
		Logger: p.opts.Logger, Grace: p.opts.Grace, Linger: linger, HTTP2: true, Refuse: refuse,
		MaxConnections: p.opts.MaxConnections, Full: full, Overload: p.overload(front),
	})
}

// overload answers those who came when every connection that there may be was
// at work. Who asks for the sidecar itself should learn so from it.
func (p *Plane) overload(front route.Front) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.answersItself(front, r) {
			p.opts.Own.ServeHTTP(w, r)
			return
		}
		fail(w, forwarding(http.StatusServiceUnavailable, "overloaded", problem.NotProcessed,
			fmt.Sprintf("all %d connections that the proxy may have are at work (--max-connections)", p.opts.MaxConnections)))
	}
}

// Full tells whether the plane's own listener has so much more than
// Options.MaxConnections that whoever connects now waits.
func (p *Plane) Full() bool { return p.full.Load() }

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

// CloseIdleConnections gives back the connections to instances that no request
// uses. Run does so at its end.
func (p *Plane) CloseIdleConnections() {
	p.forwarder.closeIdle()
	for _, f := range p.realms {
		f.closeIdle()
	}
	p.others.closeIdle()
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
func (p *Plane) answersItself(front route.Front, r *http.Request) bool {
	if p.opts.Own == nil || !front.ToSelf(r) {
		return false
	}
	_, pattern := p.opts.Own.Handler(r)
	return pattern != ""
}

// ServeHTTP forwards one request to the service it names.
func (p *Plane) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handle(p.front, w, r) }

func (p *Plane) handle(front route.Front, w http.ResponseWriter, r *http.Request) {
	target, refusal := front.Target(r)
	switch {
	case tooManyLines(r.Header):
		fail(w, forwarding(http.StatusRequestHeaderFieldsTooLarge, "header-too-large", problem.NotProcessed, fmt.Sprintf("the header must have at most %d lines", maxHeaderLines)))
	case refusal != nil && p.answersItself(front, r):
		p.opts.Own.ServeHTTP(w, r)
	case refusal != nil:
		fail(w, refusal)
	case target.Host != "":
		p.others.ServeHTTP(w, r)
	default:
		p.forward(w, r, target)
	}
}

func (p *Plane) forward(w http.ResponseWriter, r *http.Request, target route.Target) {
	forwarder := p.forwarder
	if foreign := p.realms[target.Realm]; foreign != nil {
		forwarder = foreign
	}
	service, err := p.follow(r, target)
	if err != nil {
		forwarder.Fail(w, r, service, err)
		return
	}
	forwarder.Forward(w, r, service, r.URL.EscapedPath())
}

// follow returns the service that the rules of the named one choose.
func (p *Plane) follow(r *http.Request, target route.Target) (string, error) {
	rules, err := p.rules(r.Context(), target)
	if len(rules) > 0 {
		return route.Follow(rules, route.Asked{Service: target.Service, Path: r.URL.EscapedPath(), Header: r.Header}, rand.IntN), nil
	}
	return target.Service, err
}

// rules returns those of a service, which need not have instances for that. A
// service that is not in the table is followed from now on.
func (p *Plane) rules(ctx context.Context, target route.Target) ([]registry.Rule, error) {
	resolver := p.opts.Realms[target.Realm]
	if resolver == nil {
		if s := p.table.Load().Service(target.Service); s != nil {
			return s.Meta.Rules, nil
		}
		resolver = p.opts.Resolver
	}
	if resolver == nil {
		resolver = p
	}
	return route.Rules(ctx, resolver, target.Service)
}
