package h1

import (
	"bufio"
	"errors"
	"math"
	"net"
	"syscall"
	"time"
)

// mostHead bounds the head of an answer, in bytes, as net/http does.
const mostHead = 10 << 20

var errLongHead = errors.New("the answer's header is longer than 10 MiB")

// A conn is a connection to one address. It belongs to the exchange that has
// it, or to the pool; only close may be called by anybody.
type conn struct {
	net  net.Conn
	addr string
	in   *bufio.Reader
	out  *bufio.Writer
	raw  syscall.RawConn // nil if it has none

	kept   bool // it has served a request before
	wrote  bool // bytes of the present request may have left
	read   bool // bytes of the present answer have come
	left   int64
	parked time.Time
	quiet  bool // the result of the last look
	look   func(fd uintptr) bool
}

func newConn(c net.Conn, addr string) *conn {
	made := &conn{net: c, addr: addr}
	made.in, made.out = bufio.NewReader(reading{made}), bufio.NewWriter(writing{made})
	if s, ok := c.(syscall.Conn); ok {
		made.raw, _ = s.SyscallConn()
	}
	made.look = made.peek
	return made
}

// begin readies the connection for one more request.
func (c *conn) begin() { c.wrote, c.read, c.left = false, false, mostHead }

// headRead lets the answer's body be as long as it likes.
func (c *conn) headRead() { c.left = math.MaxInt64 }

func (c *conn) close() { _ = c.net.Close() }

// reading is what the connection's buffer reads from.
type reading struct{ *conn }

func (c reading) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLongHead
	}
	n, err := c.net.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.read = c.read || n > 0
	return n, err
}

// writing is what the connection's buffer writes to.
type writing struct{ *conn }

func (c writing) Write(p []byte) (int, error) {
	n, err := c.net.Write(p)
	c.wrote = c.wrote || n > 0
	return n, err
}
