package smartclient

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
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
}

// trace hooks the wire into net/http.
func (w *wire) trace(hooks *httptrace.ClientTrace, secure bool) {
	hooks.GotConn = w.gotConn
	if secure {
		hooks.TLSHandshakeStart = func() { w.handshaking.Store(true) }
		hooks.TLSHandshakeDone = func(_ tls.ConnectionState, err error) { w.handshaking.Store(err != nil) }
	}
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
