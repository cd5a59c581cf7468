package h1

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// An exchange is a request and its answer on a connection. It is the answer's
// body too. Close may be called while Read waits, and more than once.
type exchange struct {
	pool    *Pool
	conn    *conn
	ctx     context.Context
	unwatch func() bool // nil if the context never ends
	last    bool        // the connection is of no more use
	body    io.Reader
	err     error // of the Read that ended it
	state   atomic.Int32
}

// The states of an exchange. The first to leave open has the connection.
const (
	open int32 = iota
	ended
	closed
)

// fail gives the connection up, and returns what ended the exchange.
func (x *exchange) fail(err error) error {
	x.conn.close()
	if x.ctx.Err() != nil {
		err = context.Cause(x.ctx)
	}
	if x.unwatch != nil {
		x.unwatch()
	}
	return err
}

// over hands the connection on, now that the answer has been read.
func (x *exchange) over() {
	unwatched := x.unwatch == nil || x.unwatch()
	if x.last || !unwatched || x.conn.in.Buffered() > 0 {
		x.conn.close()
		return
	}
	x.pool.park(x.conn)
}

// Read reads the answer's body.
func (x *exchange) Read(p []byte) (int, error) {
	switch x.state.Load() {
	case closed:
		return 0, http.ErrBodyReadAfterClose
	case ended:
		return 0, x.err
	}
	n, err := x.body.Read(p)
	if err != nil {
		err = x.end(err)
	}
	return n, err
}

// end ends the exchange with what Read came to.
func (x *exchange) end(err error) error {
	x.err = err
	if !x.state.CompareAndSwap(open, ended) {
		return http.ErrBodyReadAfterClose
	}
	if err == io.EOF {
		x.over()
		return io.EOF
	}
	x.err = x.fail(err)
	return x.err
}

// Close gives the answer up. What is left of it is not read: the connection is
// closed instead, as net/http does.
func (x *exchange) Close() error {
	if x.state.CompareAndSwap(open, closed) {
		_ = x.fail(nil)
		return nil
	}
	x.state.Store(closed)
	return nil
}
