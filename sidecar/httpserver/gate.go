package httpserver

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
)

// A gate is a listener that lets so many connections in at a time; others wait
// in the kernel's queue until one ends. It may also word net/http's own
// refusals anew.
type gate struct {
	net.Listener
	slots  chan struct{} // nil: no bound
	full   *atomic.Bool
	refuse func(status int, detail string) []byte

	once   sync.Once
	closed chan struct{}
}

func newGate(l net.Listener, opts Options) net.Listener {
	if opts.MaxConnections <= 0 && opts.Refuse == nil {
		return l
	}
	g := &gate{Listener: l, full: opts.Full, refuse: opts.Refuse, closed: make(chan struct{})}
	if opts.MaxConnections > 0 {
		g.slots = make(chan struct{}, opts.MaxConnections)
	}
	return g
}

func (g *gate) Accept() (net.Conn, error) {
	if !g.enter() {
		return nil, net.ErrClosed
	}
	conn, err := g.Listener.Accept()
	if err != nil {
		g.leave()
		return nil, err
	}
	return &guest{Conn: conn, gate: g}, nil
}

func (g *gate) enter() bool {
	if g.slots == nil {
		return true
	}
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	g.full.Store(true)
	defer g.full.Store(false)
	select {
	case g.slots <- struct{}{}:
		return true
	case <-g.closed:
		return false
	}
}

func (g *gate) leave() {
	if g.slots != nil {
		<-g.slots
	}
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// A guest is a connection that was let in.
type guest struct {
	net.Conn
	gate *gate
	left sync.Once
}

func (c *guest) Close() error {
	err := c.Conn.Close()
	c.left.Do(c.gate.leave)
	return err
}

// CloseWrite ends what is sent, for upgraded connections.
func (c *guest) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}

// ReadFrom keeps the kernel's own ways of copying within reach.
func (c *guest) ReadFrom(r io.Reader) (int64, error) {
	if fast, ok := c.Conn.(io.ReaderFrom); ok {
		return fast.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

func (c *guest) Write(p []byte) (int, error) {
	if c.gate.refuse == nil || len(p) > mostRefusal {
		return c.Conn.Write(p)
	}
	status, detail, ok := refusal(p)
	if !ok {
		return c.Conn.Write(p)
	}
	if _, err := c.Conn.Write(c.gate.refuse(status, detail)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// net/http answers requests that it cannot read by itself, in one write, and
// asks nobody. No other answer has just this header: all have a Date.
var (
	refusalStart  = []byte("HTTP/1.1 ")
	refusalHeader = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
)

// mostRefusal is more than a refusal takes.
const mostRefusal = 1 << 10

// refusal reads net/http's own refusal: its status, and what it says.
func refusal(p []byte) (status int, detail string, ok bool) {
	rest, isStart := bytes.CutPrefix(p, refusalStart)
	if !isStart || len(rest) < 3 {
		return 0, "", false
	}
	at := bytes.IndexByte(rest, '\r')
	if at < 0 || !bytes.HasPrefix(rest[at:], refusalHeader) {
		return 0, "", false
	}
	status, err := strconv.Atoi(string(rest[:3]))
	return status, string(rest[at+len(refusalHeader):]), err == nil
}
