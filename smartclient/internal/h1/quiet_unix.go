//go:build unix

package h1

import "syscall"

// alive tells whether a parked connection is as it was left. Nobody reads it
// meanwhile, so the peer's end of it, or an answer that nobody asked for, is
// found out here, with a read that does not wait.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	c.quiet = false
	return c.raw.Read(c.look) == nil && c.quiet
}

func (c *conn) peek(fd uintptr) bool {
	var one [1]byte
	n, err := syscall.Read(int(fd), one[:])
	c.quiet = n <= 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
	return true
}
