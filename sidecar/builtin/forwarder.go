package builtin

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/sidecar/problem"
	"fairlead.dev/sidecar/route"
)

// ForwarderOptions are what a forwarder may be told. The zero value is ready.
type ForwarderOptions struct {
	// Logger is told of requests that got no answer; nil means slog.Default.
	Logger *slog.Logger
	// MeterProvider records requests, failures and durations; nil means
	// OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// InstanceAt tells the id of the instance of a service at an address, for
	// the metrics; nil or "" has the address stand for it.
	InstanceAt func(service string, addr netip.AddrPort) string
}

// A Forwarder sends requests on to services and copies their answers back. It
// is what the proxy is made of, for others who have found out by themselves
// which service a request is for. It may be used concurrently.
type Forwarder struct {
	proxy      *httputil.ReverseProxy
	metrics    *metrics
	instanceAt func(service string, addr netip.AddrPort) string
	log        *slog.Logger
}

// NewForwarder returns a forwarder over a transport of service:// URLs, which
// chooses the instance and decides what is repeated.
func NewForwarder(transport http.RoundTripper, opts ForwarderOptions) (*Forwarder, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.InstanceAt == nil {
		opts.InstanceAt = func(string, netip.AddrPort) string { return "" }
	}
	metrics, err := newMetrics(opts.MeterProvider)
	if err != nil {
		return nil, err
	}
	f := &Forwarder{metrics: metrics, instanceAt: opts.InstanceAt, log: opts.Logger.With("component", "proxy")}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		ModifyResponse: modifyResponse,
		ErrorHandler:   f.failed,
		Transport:      transport,
		// At once: answers that have a Content-Length may be streams too.
		FlushInterval: -1,
		BufferPool:    newBufferPool(),
		ErrorLog:      slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	return f, nil
}

// Forward sends r to an instance of service, with the given escaped path and
// r's query, and copies the answer to w. Like any handler it may panic with
// http.ErrAbortHandler, to cut an answer that broke off.
func (f *Forwarder) Forward(w http.ResponseWriter, r *http.Request, service, escapedPath string) {
	x := &exchange{service: service, began: time.Now(), failure: codeAborted}
	defer func() { f.record(r, x) }()
	target, err := parsePath(escapedPath)
	switch {
	case err != nil:
		x.fail(w, forwarding(http.StatusBadRequest, "invalid-path", problem.NotProcessed, "path: must be a valid URL path"))
	case hops(r.Header) >= maxHops:
		x.fail(w, forwarding(http.StatusLoopDetected, "loop", problem.NotProcessed, "the request came by here too often, see its Via header: does an instance's address lead back to a proxy?"))
	default:
		x.path = target
		f.proxy.ServeHTTP(w, r.WithContext(x.follow(r)))
		x.returned()
	}
}

// Fail answers a request for a service of which nothing can be had, as Forward
// does when it finds that out itself.
func (f *Forwarder) Fail(w http.ResponseWriter, r *http.Request, service string, err error) {
	x := &exchange{service: service, began: time.Now()}
	defer func() { f.record(r, x) }()
	f.give(w, r, x, err)
}

func (f *Forwarder) record(r *http.Request, x *exchange) {
	instance := ""
	if x.peer.IsValid() {
		if instance = f.instanceAt(x.service, x.peer); instance == "" {
			instance = x.peer.String()
		}
	}
	f.metrics.record(r, x, instance)
}

// parsePath keeps the escaping as it was sent: services may tell %2F from /.
func parsePath(escaped string) (*url.URL, error) {
	if escaped == "" {
		escaped = "/"
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	return &url.URL{Path: path, RawPath: escaped}, nil
}

func rewrite(r *httputil.ProxyRequest) {
	x := exchangeOf(r.In.Context())
	r.Out.URL = &url.URL{
		Scheme: "service", Host: x.service,
		Path: x.path.Path, RawPath: x.path.RawPath,
		// As sent: ReverseProxy drops what it cannot parse, such as a=1;b=2.
		RawQuery: r.In.URL.RawQuery, ForceQuery: r.In.URL.ForceQuery,
	}
	r.Out.Host = hostFor(r.In.Host, x.service)
	// The values come once the body has been read, into the map of r.In.
	r.Out.Trailer = r.In.Trailer
	r.Out.Header.Del(route.ServiceHeader)
	r.SetXForwarded()
	addVia(r.Out.Header, r.In)
}

// hostFor returns the Host that an instance sees: the caller's, so that links
// the service builds from it lead the caller back here. The bare name would
// tell the smart client that the caller understands service:// URLs, to which
// it then turns redirects.
func hostFor(host, service string) string {
	switch host {
	case "":
		return service + ".service"
	case service:
		return host + ":80"
	}
	return host
}

func modifyResponse(res *http.Response) error {
	res.Header.Del(ErrorHeader)
	exchangeOf(res.Request.Context()).status = res.StatusCode
	return nil
}

// failed answers a request that got no answer of a service.
func (f *Forwarder) failed(w http.ResponseWriter, r *http.Request, err error) {
	f.give(w, r, exchangeOf(r.Context()), err)
}

func (f *Forwarder) give(w http.ResponseWriter, r *http.Request, x *exchange, err error) {
	x.fail(w, problemOf(r.Context(), x.service, err))
	if x.failure != codeClientGone {
		f.log.Info("request got no answer", "service", x.service, "method", r.Method, "code", x.failure, "error", err)
	}
}
