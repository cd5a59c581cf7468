package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/httpserver"
)

// An Aside answers the requests that HAProxy does not carry itself but hands to
// the sidecar as they came: those with Fairlead-Route, for other realms, for
// hosts that are no services, and to the sidecar itself. The built-in plane is
// one, which makes both planes answer them alike.
type Aside interface {
	http.Handler
	// Apply is that of a sidecar.DataPlane: the aside follows the same tables.
	Apply(ctx context.Context, table *registry.Table) error
	// CloseIdleConnections is called once no request is left.
	CloseIdleConnections()
}

// callerHeader has the address of a caller, which the socket does not tell. The
// configuration sets it, whatever the caller did.
const callerHeader = "X-Forwarded-For"

// serveAside answers on a socket what HAProxy hands over.
func (p *Plane) serveAside() (end func(), err error) {
	path := p.in.file(asideSock)
	// That of a sidecar that was killed; the folder's lock says that it is no
	// more.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen for what haproxy hands over: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for what haproxy hands over: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.opts.Aside.CloseIdleConnections()
		if err := httpserver.Run(ctx, listener, fromCallers(p.opts.Aside), httpserver.Options{Logger: p.opts.Logger, Grace: p.opts.Grace}); err != nil {
			p.log.Warn("cannot serve what haproxy hands over", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}

// fromCallers has requests come from where they came to HAProxy from.
func fromCallers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = ""
		if from := r.Header.Get(callerHeader); from != "" {
			r.RemoteAddr = net.JoinHostPort(from, "0")
		}
		r.Header.Del(callerHeader)
		h.ServeHTTP(w, r)
	})
}
