package builtin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"syscall"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// others carries what is for no service: a plain forward proxy, for programs
// that can be given one proxy only. Requests are not repeated, nor counted
// with those of services.
type others struct {
	dialer    *net.Dialer
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

const (
	otherDialTimeout = 10 * time.Second
	otherIdleTimeout = 30 * time.Second
)

func newOthers(log *slog.Logger) *others {
	o := &others{dialer: &net.Dialer{Timeout: otherDialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		return registry.AllowedDial(address)
	}}}
	o.transport = &http.Transport{
		DialContext: o.dialer.DialContext, IdleConnTimeout: otherIdleTimeout, DisableCompression: true, ForceAttemptHTTP2: true,
	}
	o.proxy = &httputil.ReverseProxy{
		Transport: o.transport, FlushInterval: -1, BufferPool: newBufferPool(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Header.Set("Via", via(r.In))
		},
		ModifyResponse: fromElsewhere,
		ErrorHandler:   failedElsewhere,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return o
}

func fromElsewhere(res *http.Response) error {
	if res.StatusCode < http.StatusContinue {
		return errStatus
	}
	res.Header.Del(ErrorHeader)
	return nil
}

func failedElsewhere(w http.ResponseWriter, r *http.Request, _ error) {
	fail(w, forwarding(http.StatusBadGateway, "no-answer", problem.MaybeProcessed, r.Host+" gave no answer"))
}

func (o *others) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case hops(r.Header) >= maxHops:
		fail(w, forwarding(http.StatusLoopDetected, "loop", problem.NotProcessed, "the request came by here too often, see its Via header"))
	case r.Method == http.MethodConnect:
		o.tunnel(w, r)
	default:
		o.proxy.ServeHTTP(w, r)
	}
}

// tunnel connects a caller with whom it asked for (RFC 9110 §9.3.6).
func (o *others) tunnel(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), otherDialTimeout)
	defer cancel()
	there, err := o.dialer.DialContext(ctx, "tcp", r.Host)
	if err != nil {
		fail(w, forwarding(http.StatusBadGateway, "unreachable", problem.NotProcessed, r.Host+" could not be reached"))
		return
	}
	defer there.Close()
	caller, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, forwarding(http.StatusNotImplemented, "host-refused", problem.NotProcessed, "tunnels are offered over HTTP/1.1 only"))
		return
	}
	defer caller.Close()
	if _, err := io.WriteString(caller, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		tie(r.Context(), pair{caller, buffered.Reader, there})
	}
}

func (o *others) closeIdle() { o.transport.CloseIdleConnections() }
