//go:build !unix

package h1

// alive cannot tell here; a dead connection shows when it is used.
func (c *conn) alive() bool { return true }

func (c *conn) peek(uintptr) bool { return true }
