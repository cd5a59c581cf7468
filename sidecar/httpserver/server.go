// Package httpserver runs an HTTP server with the limits and the orderly end
// that every listener of the platform needs:
//
//	err := httpserver.Run(ctx, listener, handler, httpserver.Options{})
//
// It returns when ctx has ended, what was in flight is finished or cut, and
// every goroutine of a handler has returned.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxHeaderBytes is what a request line with its header may take; nginx
	// and HAProxy take 32 and 16 KiB.
	maxHeaderBytes = 64 << 10
	// readHeaderTimeout ends connections that send their header by drips.
	readHeaderTimeout = 10 * time.Second
	// idleTimeout ends connections that wait for a next request.
	idleTimeout = 2 * time.Minute
	// cutTimeout is how long handlers get to return once their request's
	// context has been cancelled and its connection closed.
	cutTimeout = 2 * time.Second
)

// Options of a server. The zero value is ready to use.
type Options struct {
	// Logger gets what the server has to say of broken connections, at debug
	// level; nil means slog.Default.
	Logger *slog.Logger
	// Grace is how long requests in flight may take to finish after ctx has
	// ended; the default is 10 s.
	Grace time.Duration
	// Linger is how long connections stay open after ctx has ended. Their next
	// answer says that it is the last, so that no caller sends a request just
	// when its connection is closed. Zero closes idle ones at once.
	Linger time.Duration
	// Stopping, if set, is called when ctx has ended, before the wait: it
	// should end answers that would go on for ever.
	Stopping func()
	// HTTP2 has callers speak HTTP/2 without TLS, if they do so from the first
	// byte on (RFC 9113 §3.3).
	HTTP2 bool
	// MaxConnections is how many connections there may be at a time. For one
	// more, the one is closed that has waited longest for a next request. If
	// none waits, Overload answers it. 0 means any number.
	MaxConnections int
	// Overload answers the first request of a connection that is too many, which
	// is closed then; the default is a 503.
	Overload http.Handler
	// Full, if set, is true while there are too many for that too: a sixteenth
	// of MaxConnections more, and 16 at least. The next one waits to be accepted.
	Full *atomic.Bool
	// Refuse words the answer to a request that cannot be read, as bytes of
	// HTTP/1.1; its arguments are the status and what net/http would say. Nil
	// leaves that to net/http.
	Refuse func(status int, detail string) []byte
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Full == nil {
		o.Full = new(atomic.Bool)
	}
	if o.Overload == nil {
		o.Overload = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "too many connections", http.StatusServiceUnavailable)
		})
	}
	if o.Stopping == nil {
		o.Stopping = func() {}
	}
	return o
}

// A Handover is the cause of a context's end when somebody else goes on with
// the listener, so that nobody waits for this server: what is in flight may
// finish, and connections stay until they are used for the last time, as long
// as Until goes on. Then Grace begins.
type Handover struct{ Until context.Context }

func (*Handover) Error() string { return "handed over to a successor" }

// Run serves handler on listener until ctx ends, then closes the listener,
// has connections linger, waits at most Grace for requests in flight, hijacked
// connections among them, and cuts the rest. It returns nil unless serving
// failed or something would not end.
func Run(ctx context.Context, listener net.Listener, handler http.Handler, opts Options) error {
	opts = opts.withDefaults()
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	live, connected := newInflight(), newInflight()
	listener, seats := newGate(listener, opts)
	server := newServer(base, live.track(seats.serve(handler, opts.Overload)), opts)
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		connected.observe(conn, state)
		seats.observe(conn, state)
	}
	if seats != nil {
		server.ConnContext = seats.tell
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		opts.Stopping()
		cut()
		_ = server.Close()
		return errors.Join(fmt.Errorf("serve %s: %w", listener.Addr(), err), live.wait(cutTimeout))
	case <-ctx.Done():
	}
	live.leaving.Store(true)
	_ = listener.Close()
	<-served
	opts.Stopping()
	lingerOn(ctx, opts.Linger, connected, live)
	return stop(server, live, cut, opts.Grace)
}

// lingerOn waits until nobody is connected any more, or for long enough.
func lingerOn(ended context.Context, linger time.Duration, connected, live *inflight) {
	ctx, cancel := context.WithTimeout(context.Background(), linger)
	var handover *Handover
	if errors.As(context.Cause(ended), &handover) {
		cancel()
		ctx, cancel = context.WithCancel(handover.Until)
	}
	defer cancel()
	for _, those := range []*inflight{connected, live} {
		select {
		case <-those.none():
		case <-ctx.Done():
		}
	}
}

func stop(server *http.Server, live *inflight, cut func(), grace time.Duration) error {
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	deadline, _ := bounded.Deadline()
	// Shutdown does not wait for hijacked connections; live does.
	if server.Shutdown(bounded) == nil && live.wait(time.Until(deadline)) == nil {
		return nil
	}
	cut()
	_ = server.Close()
	return live.wait(cutTimeout)
}

func newServer(base context.Context, handler http.Handler, opts Options) *http.Server {
	return &http.Server{
		Protocols:         protocols(opts.HTTP2),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug),
	}
}

// maxStreams bounds the requests at a time on one HTTP/2 connection.
const maxStreams = 250

func protocols(http2 bool) *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(http2)
	return &p
}
