package smartclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// mostBuffered bounds the bodies that are kept in memory so that they can be
// sent again.
const mostBuffered = 64 << 10

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // the request failed for another reason already
	}
}

// A replay hands out a request's body, once for each attempt, as long as that
// is possible. The nil one is of a request without a body.
type replay struct {
	body   io.ReadCloser                 // the first attempt's
	again  func() (io.ReadCloser, error) // a fresh copy; nil if there is none
	single *singleBody                   // stands in for body if there is no copy
	given  int
}

// newReplay prepares a request's body. It buffers a small one of known length
// if the method may be repeated after it was sent; otherwise only an unread
// body can be given a second time.
func newReplay(req *http.Request, buffer bool) (replay, error) {
	switch {
	case req.GetBody != nil:
		return replay{body: req.Body, again: req.GetBody}, nil
	case buffer && req.ContentLength > 0 && req.ContentLength <= mostBuffered:
		return newBuffered(req)
	}
	return replay{single: &singleBody{body: req.Body}}, nil
}

func newBuffered(req *http.Request) (replay, error) {
	data := make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, data)
	closeBody(req)
	if err != nil {
		return replay{given: 1}, fmt.Errorf("read request body of %d bytes: %w", req.ContentLength, err)
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	first, _ := again()
	return replay{body: first, again: again}, nil
}

// next returns the body for one more attempt.
func (r *replay) next() (io.ReadCloser, error) {
	if r == nil {
		return nil, nil
	}
	r.given++
	switch {
	case r.single != nil:
		return r.single.lend()
	case r.given > 1 && r.again != nil:
		return r.again()
	}
	return r.body, nil
}

// possible tells whether one more attempt can have the body.
func (r *replay) possible() bool { return r == nil || r.single == nil || !r.single.read.Load() }

// copied tells whether two attempts can have the body at a time.
func (r *replay) copied() bool { return r == nil || r.copies() != nil }

// copies returns what makes a fresh copy of the body; nil if nothing does.
func (r *replay) copies() func() (io.ReadCloser, error) {
	if r == nil || r.single != nil {
		return nil
	}
	return r.again
}

// broken tells whether reading the caller's body failed.
func (r *replay) broken() bool { return r != nil && r.single != nil && r.single.broken.Load() }

// end lets the last attempt close the body for good, or closes it if no
// attempt will.
func (r *replay) end(answered bool) {
	switch {
	case r == nil:
	case r.single != nil:
		r.single.end(answered)
	case r.given == 0:
		_ = r.body.Close()
	}
}

// A singleBody exists once. net/http closes a body with each attempt, even if
// it read nothing, so attempts borrow it and closing waits for the last one.
type singleBody struct {
	body   io.ReadCloser
	read   atomic.Bool
	broken atomic.Bool
	last   *loan
}

// errBodyRead says that an attempt read on after it had failed.
var errBodyRead = errors.New("an earlier attempt has read it meanwhile")

// lend takes the body back from the attempt before. What that has read must not
// be missing in the next one's.
func (s *singleBody) lend() (io.ReadCloser, error) {
	if s.last != nil {
		s.last.revoke()
		if s.read.Load() {
			return nil, errBodyRead
		}
	}
	s.last = &loan{of: s}
	return s.last, nil
}

func (s *singleBody) end(answered bool) {
	if answered && s.last != nil {
		s.last.keep()
		return
	}
	_ = s.body.Close()
}

// A loan is the body in the hands of one attempt.
type loan struct {
	of *singleBody

	mu      sync.Mutex
	closed  bool
	kept    bool
	revoked bool
}

func (l *loan) Read(p []byte) (int, error) {
	if !l.begin() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := l.of.body.Read(p)
	if err != nil && err != io.EOF {
		l.of.broken.Store(true)
	}
	return n, err
}

// begin notes that the body is read, unless it was taken back.
func (l *loan) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.revoked {
		l.of.read.Store(true)
	}
	return !l.revoked
}

// Close closes the body if the attempt is the last one, else remembers it.
func (l *loan) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.kept {
		return l.of.body.Close()
	}
	return nil
}

// keep makes the loan the body's owner.
func (l *loan) keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = true
	if l.closed {
		_ = l.of.body.Close()
	}
}

func (l *loan) revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = true
}
