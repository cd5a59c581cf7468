package smartclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// defaultBackground bounds [Client.Go]: as many as the connections that are
// kept to one instance, so that what runs in the background reuses them.
const defaultBackground = idlePerInstance

// A Future is the answer to a request that runs in the background. Its methods
// may be called concurrently.
//
// Whoever starts one owns it: end it with [Future.Wait] and the answer's body
// closed, with [Future.Cancel], or by its context. Whichever comes first, no
// goroutine and no connection is left behind.
type Future struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	// resp and err are set before done is closed.
	resp *http.Response
	err  error
	fate atomic.Int32
	stay func() bool // keeps the context's end from giving the answer up
}

// The fates of an answer: nobody asked for it yet, it is the caller's, or it
// was given up.
const (
	waiting int32 = iota
	taken
	givenUp
)

// Go sends a request in the background, under ctx in place of the request's
// own context: when ctx ends, so does the request, and reading its answer.
//
// At most Options.Background requests are on their way at a time; beyond that
// Go waits for one of them to have its answer, or for ctx to end.
func (c *Client) Go(ctx context.Context, req *http.Request) *Future {
	f := &Future{done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(ctx)
	select {
	case c.background <- struct{}{}:
		go f.run(c, req)
	case <-f.ctx.Done():
		closeBody(req)
		f.settle(nil, fmt.Errorf("wait for requests in the background: %w", context.Cause(ctx)))
	}
	return f
}

func (f *Future) run(c *Client, req *http.Request) {
	resp, err := c.Do(req.WithContext(f.ctx))
	<-c.background
	f.settle(resp, err)
}

// settle makes the outcome known. An answer that nobody takes ends with its
// context.
func (f *Future) settle(resp *http.Response, err error) {
	f.resp, f.err = resp, err
	if resp == nil {
		f.cancel()
	} else {
		resp.Body = cancelling(resp.Body, f.cancel)
		f.stay = context.AfterFunc(f.ctx, f.giveUp)
	}
	close(f.done)
}

// giveUp closes an answer that nobody has taken.
func (f *Future) giveUp() {
	if f.fate.CompareAndSwap(waiting, givenUp) {
		_ = f.resp.Body.Close()
	}
}

// Done is closed once there is an answer or an error, and Wait returns at once.
func (f *Future) Done() <-chan struct{} { return f.done }

// Wait waits for the answer's headers, and returns what [Client.Do] did. The
// answer is the caller's, who must close its body. Later calls return the same;
// after the context ended with nobody waiting, that is the context's error.
func (f *Future) Wait() (*http.Response, error) {
	<-f.done
	if f.resp == nil {
		return nil, f.err
	}
	if f.fate.CompareAndSwap(waiting, taken) {
		f.stay()
	} else if f.fate.Load() == givenUp {
		return nil, fmt.Errorf("answer was given up: %w", context.Cause(f.ctx))
	}
	return f.resp, nil
}

// Cancel ends the request, and the reading of an answer that was taken. It may
// be called at any time and more than once.
func (f *Future) Cancel() { f.cancel() }

// cancelling calls cancel once a body has been closed or read to its end.
func cancelling(body io.ReadCloser, cancel context.CancelFunc) io.ReadCloser {
	b := cancellingBody{body, cancel}
	if w, ok := body.(io.Writer); ok { // of a 101 answer
		return struct {
			cancellingBody
			io.Writer
		}{b, w}
	}
	return b
}

type cancellingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b cancellingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.cancel()
	}
	return n, err
}

func (b cancellingBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
