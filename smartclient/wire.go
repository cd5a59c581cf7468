package smartclient

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"fairlead.dev/smartclient/internal/h1"
)

// A wire watches what net/http does to connections for an attempt. It may take
// several for one: when a kept one turns out to be dead it silently resends on
// the next. gotConn runs in the goroutine of RoundTrip; the handshake hook may
// run in a dialling one.
type wire struct {
	conn        *countedConn
	writes      int64 // of conn, when the attempt got it
	course      h1.Course
	handshaking atomic.Bool
}

// through sends a request through net/http, and notes what became of it.
func (a *attempt) through(out *http.Request) (*http.Response, error) {
	w := &wire{}
	hooks := &httptrace.ClientTrace{GotConn: w.gotConn}
	if a.at.instance.Scheme == "https" {
		w.watchHandshake(hooks)
	}
	if p := a.call.progress; p != nil {
		hooks.Got1xxResponse = p.Interim
	}
	*out = *out.WithContext(httptrace.WithClientTrace(out.Context(), hooks))
	resp, err := a.call.t.base.RoundTrip(out)
	w.settle()
	a.course, a.reached = w.course, w.course.Conns > 0 || w.handshaking.Load()
	return resp, err
}

func (w *wire) watchHandshake(hooks *httptrace.ClientTrace) {
	hooks.TLSHandshakeStart = func() { w.handshaking.Store(true) }
	hooks.TLSHandshakeDone = func(_ tls.ConnectionState, err error) { w.handshaking.Store(err != nil) }
}

func (w *wire) gotConn(info httptrace.GotConnInfo) {
	w.settle()
	w.course.Conns++
	w.course.Kept = info.Reused
	if w.conn = counted(info.Conn); w.conn != nil {
		w.writes = w.conn.writes.Load()
		return
	}
	w.course.Sent = true // nobody counts this one
}

// settle takes the present connection's writes into account.
func (w *wire) settle() {
	if w.conn != nil && w.conn.writes.Load() != w.writes {
		w.course.Sent = true
	}
	w.conn = nil
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
