package smartclient

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient/internal/h1"
)

// The connections' terms. A dead host must cost a request one second, not the
// thirty of net/http's default; a live one answers a SYN in milliseconds. Idle
// connections are given up after 4 s because common servers (Node, uvicorn)
// close theirs after 5 s, and a request must not race that.
const (
	dialTimeout      = time.Second
	handshakeTimeout = 2 * time.Second
	idleTimeout      = 4 * time.Second
	idlePerInstance  = 256
)

var dialer = &net.Dialer{Timeout: dialTimeout, Control: onlyAllowed}

// newPool returns the connections of attempts, most of them, when the caller
// gives no Base.
func newPool() *h1.Pool {
	return &h1.Pool{Dial: dialer.DialContext, IdleTimeout: idleTimeout, MostIdle: idlePerInstance}
}

// newBase returns the transport of the other attempts then. It asks for no compression: within a data centre it costs more than it
// saves, and a proxy must not change what it carries.
func newBase() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		TLSHandshakeTimeout:   handshakeTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idlePerInstance,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
}

// onlyAllowed checks the address that a registered name resolved to.
func onlyAllowed(_, address string, _ syscall.RawConn) error { return registry.AllowedDial(address) }

// A countedConn counts the writes that may have put bytes on the wire, which
// is how an attempt proves that nothing of it was sent.
type countedConn struct {
	net.Conn
	writes atomic.Int64
}

// Write counts before it writes, so that whoever looks in between errs on the
// safe side.
func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	n, err := c.Conn.Write(p)
	if n == 0 {
		c.writes.Add(-1)
	}
	return n, err
}

// counted finds the counted connection below a plain or TLS one; nil if it was
// dialled by somebody else.
func counted(conn net.Conn) *countedConn {
	if c, plain := conn.(*countedConn); plain {
		return c
	}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*countedConn)
	return c
}
