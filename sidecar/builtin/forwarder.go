package builtin

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/sidecar/problem"
)

// ForwarderOptions are what a forwarder may be told. The zero value is ready.
type ForwarderOptions struct {
	// Realm is that of the services, for the metrics; "" leaves it out.
	Realm string
	// Logger is told of requests that got no answer; nil means slog.Default.
	Logger *slog.Logger
	// MeterProvider records sidecar.MetricServed; nil means OpenTelemetry's
	// global one.
	MeterProvider metric.MeterProvider
}

// A Forwarder sends requests on to services and copies their answers back. It
// is what the proxy is made of, for others who have found out by themselves
// which service a request is for. It may be used concurrently.
//
// It does what httputil.ReverseProxy does, at less cost a request: one copy of
// the header's map, answers that leave in one write, nothing in contexts but
// the smart client's progress.
type Forwarder struct {
	transport http.RoundTripper
	buffers   *bufferPool
	metrics   *metrics
	log       *slog.Logger
}

// NewForwarder returns a forwarder over a transport of service:// URLs, which
// chooses the instance and decides what is repeated.
func NewForwarder(transport http.RoundTripper, opts ForwarderOptions) (*Forwarder, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	metrics, err := newMetrics(opts.Realm, opts.MeterProvider)
	if err != nil {
		return nil, err
	}
	return &Forwarder{
		transport: transport, buffers: newBufferPool(), metrics: metrics, log: opts.Logger.With("component", "proxy"),
	}, nil
}

// Forward sends r to an instance of service, with the given escaped path and
// r's query, and copies the answer to w. Like any handler it may panic with
// http.ErrAbortHandler, to cut an answer that broke off.
func (f *Forwarder) Forward(w http.ResponseWriter, r *http.Request, service, escapedPath string) {
	x := begin(w, r, service)
	defer f.metrics.record(x)
	path, err := url.PathUnescape(escapedPath)
	switch {
	case err != nil:
		x.fail(forwarding(http.StatusBadRequest, "invalid-path", problem.NotProcessed, "path: must be a valid URL path"))
	case hops(r.Header) >= maxHops:
		x.fail(forwarding(http.StatusLoopDetected, "loop", problem.NotProcessed, "the request came by here too often, see its Via header: does an instance's address lead back to a proxy?"))
	default:
		x.address(path, escapedPath)
		f.exchange(x)
		x.returned()
	}
}

func (f *Forwarder) closeIdle() {
	if t, ok := f.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Fail answers a request for a service of which nothing can be had, as Forward
// does when it finds that out itself.
func (f *Forwarder) Fail(w http.ResponseWriter, r *http.Request, service string, err error) {
	x := begin(w, r, service)
	defer f.metrics.record(x)
	f.give(x, err)
}

// errStatus is of an answer like "HTTP/1.1 000 x", which net/http reads, and
// panics on where it has to write it.
var errStatus = errors.New("the answer's status is none of HTTP, which begin at 100")

// exchange gets an answer and passes it on.
func (f *Forwarder) exchange(x *exchange) {
	body := x.prepare()
	defer body.end()
	res, err := f.transport.RoundTrip(x.out)
	x.interim.end()
	switch {
	case err != nil:
		f.give(x, err)
	case res.StatusCode < http.StatusContinue:
		_ = res.Body.Close()
		f.give(x, errStatus)
	case res.StatusCode == http.StatusSwitchingProtocols:
		res.Header.Del(ErrorHeader)
		f.upgrade(x, res)
	default:
		f.answer(x, res)
	}
}

// give answers a request that got no answer of a service.
func (f *Forwarder) give(x *exchange, err error) {
	x.fail(problemOf(x.r.Context(), x.service, err))
	if x.failure != codeClientGone {
		f.log.Info("request got no answer", "service", x.service, "method", x.r.Method, "code", x.failure, "error", err)
	}
}

// address sets where the request goes. The escaping stays as it was sent:
// services may tell %2F from /. So does the query, also what net/http would
// not parse, such as a=1;b=2.
func (x *exchange) address(path, escaped string) {
	if escaped == "" {
		path, escaped = "/", "/"
	}
	x.url = url.URL{
		Scheme: "service", Host: x.service, Path: path, RawPath: escaped,
		RawQuery: x.r.URL.RawQuery, ForceQuery: x.r.URL.ForceQuery,
	}
}

// prepare makes the request that goes out.
func (x *exchange) prepare() *lentBody {
	r := x.r
	x.out = r.WithContext(x.context())
	x.out.URL = &x.url
	x.out.Host = hostFor(r.Host, x.service)
	x.out.Header = requestHeader(r)
	x.out.RequestURI, x.out.Close, x.out.Body = "", false, nil
	if r.ContentLength == 0 || r.Body == nil {
		return nil // a body that is not nil would be sent in chunks
	}
	body := &lentBody{from: r.Body}
	x.out.Body = body
	return body
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

// A lentBody is a request's body in the hands of the transport, which may read
// on after it has answered but not after the handler has returned. Closing it
// is the server's: that may wait for a caller that has not sent it yet.
type lentBody struct {
	from  io.Reader
	ended atomic.Bool
}

func (b *lentBody) Read(p []byte) (int, error) {
	if b.ended.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.from.Read(p)
}

func (b *lentBody) Close() error {
	b.ended.Store(true)
	return nil
}

func (b *lentBody) end() {
	if b != nil {
		b.ended.Store(true)
	}
}
