package httpserver

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
)

// A gate is a listener that knows who came through it. It may have so many
// seats: whoever finds none gets that of the guest that has waited longest for
// a next request. If nobody waits, some may stand, and others are left in the
// kernel's queue until one of those goes. It may also word net/http's own
// refusals anew.
type gate struct {
	net.Listener
	seats  *seats        // nil: no bound
	slots  chan struct{} // one for each guest, seated or not
	full   *atomic.Bool
	refuse func(status int, detail string) []byte

	once   sync.Once
	closed chan struct{}
}

// standing returns how many may be without a seat, for so many that have one:
// enough to tell everybody of a burst that there is none.
func standing(most int) int { return max(standingAtLeast, most/16) }

const standingAtLeast = 16

// newGate returns a listener, and the seats of a bound one.
func newGate(l net.Listener, opts Options) (net.Listener, *seats) {
	if opts.MaxConnections <= 0 && opts.Refuse == nil {
		return l, nil
	}
	g := &gate{Listener: l, full: opts.Full, refuse: opts.Refuse, closed: make(chan struct{})}
	if most := opts.MaxConnections; most > 0 {
		g.seats = &seats{most: most}
		g.slots = make(chan struct{}, most+standing(most))
	}
	return g, g.seats
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
	c := &guest{Conn: conn, gate: g}
	g.seats.welcome(c)
	return c, nil
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

	// idle is since when it waits for a next request, in nanoseconds of Unix
	// time; 0 if it does not, and givenUp if it lost its seat to another one.
	idle atomic.Int64
	// at is where it sits, from 1 on, 0 if it stands, or gone. It is the seats'.
	at int
}

const (
	givenUp = -1
	gone    = -1
)

func (c *guest) Close() error {
	err := c.Conn.Close()
	c.left.Do(func() {
		c.gate.seats.part(c)
		c.gate.leave()
	})
	return err
}

// Read ends the wait for a next request. What comes after the seat is lost was
// not read: nobody may take a request for processed, or be unsure of it.
func (c *guest) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.stir() {
		return 0, net.ErrClosed
	}
	return n, err
}

// stir tells whether the guest still has its connection, which is idle no more.
func (c *guest) stir() bool {
	for {
		since := c.idle.Load()
		if since == givenUp || since == 0 || c.idle.CompareAndSwap(since, 0) {
			return since != givenUp
		}
	}
}

// rest begins the wait for a next request.
func (c *guest) rest(now int64) {
	if before := c.idle.Load(); before != givenUp {
		c.idle.CompareAndSwap(before, now)
	}
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
