package builtin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"fairlead.dev/sidecar/problem"
)

// codeAborted stands for an answer that broke off after its header was passed
// on, which the caller sees as a broken connection.
const codeAborted = "aborted"

// An exchange is one request on its way. It travels in the request's context,
// the only thing that reaches all of ReverseProxy's hooks.
type exchange struct {
	service string
	path    *url.URL
	began   time.Time
	// peer is where the last attempt went.
	peer   netip.AddrPort
	status int
	// failure is the code of an error of ours, or of an answer that broke off.
	failure string
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// follow returns the context in which a request is forwarded: with the
// exchange, and with the caller's trace, so that spans of the smart client
// become its children and not roots of their own.
func (x *exchange) follow(r *http.Request) context.Context {
	ctx := context.WithValue(r.Context(), exchangeKey{}, x)
	if r.Header.Get("Traceparent") != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: x.connected})
}

func (x *exchange) connected(info httptrace.GotConnInfo) {
	if addr, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
		peer := addr.AddrPort()
		x.peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	}
}

// returned notes that the whole answer was passed on, if there was one.
func (x *exchange) returned() {
	if x.failure == codeAborted {
		x.failure = ""
	}
}

// fail answers with an error of the proxy's own.
func (x *exchange) fail(w http.ResponseWriter, p *problem.Problem) {
	x.status, x.failure = p.Status, p.Code()
	fail(w, p)
}
