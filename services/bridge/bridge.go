package bridge

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/httpserver"
	"fairlead.dev/sidecar/problem"
)

// DefaultAddr is where a bridge listens by convention.
const DefaultAddr = "127.0.0.1:4300"

// requestTimeout bounds the registry's part of a request.
const requestTimeout = 5 * time.Second

//go:embed openapi.json
var openAPI []byte

// A Forwarder sends a request on to a service and copies the answer back, or
// answers itself why nothing of the service can be had; that of package builtin
// does.
type Forwarder interface {
	Forward(w http.ResponseWriter, r *http.Request, service, escapedPath string)
	Fail(w http.ResponseWriter, r *http.Request, service string, err error)
}

// Options of a bridge. Atlas, Source and Follow are required.
type Options struct {
	// Atlas and Source are the registry.
	Atlas  registry.Atlas
	Source registry.Source
	// Explainer adds what only Atlas knows to explanations; nil does without.
	Explainer registry.Explainer
	// Settings keeps the settings of services; nil leaves their paths out.
	Settings registry.SettingsStore
	// Follow follows a whole realm for the streams of routes. It is called for
	// the bridge's own realm at once, for others when somebody asks.
	Follow Follow
	// Forwarder carries /call requests; nil refuses them.
	Forwarder Forwarder
	// Resolver has the rules that /call requests follow, and should be the
	// forwarder's; nil sends them all to the service that they name.
	Resolver registry.Resolver
	// Realm is the one that /call and /health are about; "local" by default.
	Realm string
	// StorageError tells /health why nothing can be written to the registry,
	// nil while it can; nil says nothing of it.
	StorageError func() error
	// Authorize tells whose token a request bears; nil asks nobody, which is
	// for loopback only.
	Authorize Authorize
	// Hosts are the names under which this listener is reached, besides
	// loopback and IP addresses.
	Hosts []string
	// Metrics answers /metrics; nil leaves the path out.
	Metrics http.Handler
	// Grace is how long requests in flight may take to end on a stop; the
	// default is 10 s.
	Grace time.Duration
	// Logger is slog.Default by default.
	Logger *slog.Logger
}

// A Bridge is the HTTP API of the registry.
type Bridge struct {
	opts   Options
	log    *slog.Logger
	hosts  []string
	routed []route
	leases *leases
	feeds  *feeds
	once   sync.Once
}

// New returns a bridge that follows its realm; Close it.
func New(opts Options) (*Bridge, error) {
	if opts.Atlas == nil || opts.Source == nil || opts.Follow == nil {
		return nil, errors.New("create bridge: Atlas, Source and Follow must be given")
	}
	if opts.Realm == "" {
		opts.Realm = "local"
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	b := &Bridge{
		opts: opts, log: opts.Logger.With("component", "bridge"),
		leases: newLeases(), feeds: newFeeds(opts.Realm, opts.Follow),
	}
	for _, host := range opts.Hosts {
		b.hosts = append(b.hosts, strings.ToLower(host))
	}
	b.routed = b.table()
	// Joined and never left: the own realm is followed until Close.
	if _, _, err := b.feeds.join(opts.Realm); err != nil {
		return nil, fmt.Errorf("create bridge: %w", err)
	}
	return b, nil
}

const (
	realmPath    = "/v1/realms/{realm}"
	servicePath  = realmPath + "/services/{service}"
	instancePath = servicePath + "/instances/{instance}"
)

// table lists the paths of the API, except /call/{service}/{path}.
func (b *Bridge) table() []route {
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: bounded(h)} }
	routes := []route{
		{"/", get(b.index)},
		{"/health", get(b.health)},
		{"/openapi.json", get(b.openAPI)},
		{realmPath + "/routes", map[string]handler{http.MethodGet: b.routes}},
		{realmPath + "/services", get(b.listServices)},
		{servicePath, get(b.showService)},
		{servicePath + "/explain", get(b.explain)},
		{servicePath + "/meta", map[string]handler{
			http.MethodGet: bounded(b.showMeta), http.MethodPut: bounded(b.setMeta), http.MethodDelete: bounded(b.clearMeta),
		}},
		{instancePath, map[string]handler{
			http.MethodPut: bounded(b.register), http.MethodGet: bounded(b.show), http.MethodDelete: bounded(b.deregister),
		}},
		{instancePath + "/heartbeat", map[string]handler{http.MethodPost: bounded(b.heartbeat)}},
		{instancePath + "/enabled", override(decodeFlag, b.opts.Atlas.SetFlag)},
		{instancePath + "/weight", override(registry.DecodeWeight, b.opts.Atlas.SetWeight)},
		{instancePath + "/drain", override(registry.DecodeDrain, b.opts.Atlas.SetDrain)},
	}
	routes = append(routes, b.settingsRoutes()...)
	if b.opts.Metrics != nil {
		routes = append(routes, route{"/metrics", get(func(w http.ResponseWriter, r request) error {
			b.opts.Metrics.ServeHTTP(w, r.Request)
			return nil
		})})
	}
	return routes
}

// Run serves on listener until ctx ends, ends the streams, gives requests in
// flight Options.Grace to finish, and closes the bridge.
func (b *Bridge) Run(ctx context.Context, listener net.Listener) error {
	defer b.Close()
	return httpserver.Run(ctx, listener, b, httpserver.Options{Logger: b.opts.Logger, Grace: b.opts.Grace, Stopping: b.Close})
}

// Close ends the streams and stops following. It may be called twice.
func (b *Bridge) Close() { b.once.Do(b.feeds.close) }

// ServeHTTP answers one request.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answer{ResponseWriter: w}
	defer b.recovered(answer, r)
	if refusal := guard(r, b.hosts); refusal != nil {
		refusal.Write(answer)
		return
	}
	if err := b.dispatch(answer, r); err != nil {
		b.fail(answer, r, err)
	}
}

func (b *Bridge) dispatch(w http.ResponseWriter, r *http.Request) error {
	path := r.URL.EscapedPath()
	if service, rest, ok := callTarget(path); ok && b.opts.Forwarder != nil {
		if err := b.authorizeCall(r); err != nil {
			return err
		}
		return b.call(w, r, service, rest)
	}
	h, pattern, key, err := find(b.routed, r.Method, path)
	if refusal := b.authorize(r.Header, pattern, r.Method, key); refusal != nil {
		return refusal
	}
	if err != nil {
		return err
	}
	return h(w, request{r, key})
}

// bounded gives a handler, and what it asks of the registry, a time limit.
func bounded(h handler) handler {
	return func(w http.ResponseWriter, r request) error {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		return h(w, request{r.WithContext(ctx), r.key})
	}
}

// recovered answers for a handler that panicked. Whoever reads the log gets
// the trace, the caller does not.
func (b *Bridge) recovered(w *answer, r *http.Request) {
	cause := recover()
	switch {
	case cause == nil:
		return
	case cause == http.ErrAbortHandler:
		panic(cause)
	}
	b.log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
	if w.began {
		panic(http.ErrAbortHandler)
	}
	problem.New(http.StatusInternalServerError, "internal", "the bridge failed to answer; its log says why").Write(w)
}

// An answer remembers whether its header has left.
type answer struct {
	http.ResponseWriter
	began bool
}

func (a *answer) WriteHeader(status int) {
	a.began = a.began || status >= http.StatusOK || status == http.StatusSwitchingProtocols
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.began = true
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what lies below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (b *Bridge) openAPI(w http.ResponseWriter, _ request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
	return nil
}

// index lists the paths.
func (b *Bridge) index(w http.ResponseWriter, _ request) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Fairlead bridge, realm %s. All of it is described at /openapi.json.\n\n", b.opts.Realm)
	for _, route := range b.routed {
		fmt.Fprintf(&text, "%-22s %s\n", methods(route), route.pattern)
	}
	fmt.Fprintf(&text, "%-22s %s\n", "any method", callPrefix+"{service}/{path}")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text.String()))
	return nil
}

func methods(r route) string {
	names := make([]string, 0, len(r.methods))
	for m := range r.methods {
		names = append(names, m)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
