package smartclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// A wire watches what an attempt does to connections. net/http may take
// several for one attempt: when a kept one turns out to be dead it silently
// resends on the next. gotConn runs in the goroutine of RoundTrip; the
// handshake hook may run in a dialling one.
type wire struct {
	conn        *countedConn
	writes      int64 // of conn, when the attempt got it
	conns       int32
	sent        bool
	kept        bool // the last connection had served another request before
	handshaking atomic.Bool
	hooks       httptrace.ClientTrace
	lent        bool // from wires
}

func newWire() *wire {
	w := &wire{}
	w.hooks.GotConn = w.gotConn
	return w
}

// wires are those that nobody can hold on to once RoundTrip has returned, so
// they serve one attempt after the other. On a plain connection of this
// package's own base net/http calls GotConn within RoundTrip only; what it
// reads of the hooks later never changes.
var wires = sync.Pool{New: func() any {
	w := newWire()
	w.lent = true
	return w
}}

// listen gives the attempt a wire, and returns the context by which net/http
// finds it. Hooks that other goroutines may call, or that a caller's own are
// mixed into, are not used again.
func (a *attempt) listen(ctx context.Context) context.Context {
	secure, progress := a.at.instance.Scheme == "https", a.call.progress
	if a.call.t.ours && !secure && progress == nil && httptrace.ContextClientTrace(ctx) == nil {
		a.wire = wires.Get().(*wire)
		return httptrace.WithClientTrace(ctx, &a.wire.hooks)
	}
	a.wire = newWire()
	if secure {
		a.wire.watchHandshake()
	}
	if progress != nil {
		a.wire.hooks.Got1xxResponse = progress.Interim
	}
	return httptrace.WithClientTrace(ctx, &a.wire.hooks)
}

// unlisten gives the wire back. Only what came of it is kept.
func (a *attempt) unlisten() {
	w := a.wire
	a.wire = nil
	if w != nil && w.lent {
		w.conn, w.conns, w.sent, w.kept = nil, 0, false, false
		wires.Put(w)
	}
}

func (w *wire) watchHandshake() {
	w.hooks.TLSHandshakeStart = func() { w.handshaking.Store(true) }
	w.hooks.TLSHandshakeDone = func(_ tls.ConnectionState, err error) { w.handshaking.Store(err != nil) }
}

func (w *wire) gotConn(info httptrace.GotConnInfo) {
	w.settle()
	w.conns++
	w.kept = info.Reused
	if w.conn = counted(info.Conn); w.conn != nil {
		w.writes = w.conn.writes.Load()
		return
	}
	w.sent = true // nobody counts this one
}

// settle takes the present connection's writes into account.
func (w *wire) settle() {
	if w.conn != nil && w.conn.writes.Load() != w.writes {
		w.sent = true
	}
	w.conn = nil
}

// resends returns how often net/http sent the request again by itself.
func (w *wire) resends() int { return max(int(w.conns)-1, 0) }

// reached tells whether the instance, rather than the request or the caller,
// is to blame for err: there was a connection, or making one failed.
func (w *wire) reached(err error) bool {
	return w.conns > 0 || w.handshaking.Load() || isDialError(err)
}

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// A streamError has the shape of HTTP/2's stream errors, which net/http hands
// out to any type of that shape.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream error" }

// refusedStream is the HTTP/2 code that says a stream was not processed
// (RFC 9113 §8.7).
const refusedStream = 7

func isRefusedStream(err error) bool {
	var e streamError
	return errors.As(err, &e) && e.Code == refusedStream
}
