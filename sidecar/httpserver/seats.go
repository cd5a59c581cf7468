package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Seats are what a server has for its connections. Nil seats are any number.
type seats struct {
	most int
	// without is how many guests have none, or are about to go.
	without atomic.Int64

	mu      sync.Mutex
	present int
	taken   []*guest
}

// welcome gives a guest a seat if there is one.
func (s *seats) welcome(c *guest) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present++
	s.sit(c)
	s.count()
}

// part has a guest's seat be another one's.
func (s *seats) part(c *guest) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present--
	s.remove(c)
	s.count()
}

// has tells whether a guest has a seat, or finds one now.
func (s *seats) has(c *guest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.count()
	return s.sit(c)
}

func (s *seats) count() { s.without.Store(int64(s.present - len(s.taken))) }

// sit tells whether a guest sits now.
func (s *seats) sit(c *guest) bool {
	if c.at != 0 || len(s.taken) >= s.most && !s.giveUp() {
		return c.at > 0
	}
	s.taken = append(s.taken, c)
	c.at = len(s.taken)
	return true
}

// giveUp closes the connection that has been idle for longest, and tells
// whether there was one.
func (s *seats) giveUp() bool {
	for {
		c, since := s.longestIdle()
		if c == nil {
			return false
		}
		if c.idle.CompareAndSwap(since, givenUp) {
			s.remove(c)
			_ = c.Conn.Close() // whoever serves it notices
			return true
		}
	}
}

// longestIdle looks at all of them: that takes a tenth of a millisecond for
// thousands, and only where there are too many.
func (s *seats) longestIdle() (longest *guest, since int64) {
	for _, c := range s.taken {
		if at := c.idle.Load(); at > 0 && (longest == nil || at < since) {
			longest, since = c, at
		}
	}
	return longest, since
}

// remove has a guest never sit again.
func (s *seats) remove(c *guest) {
	if c.at > 0 {
		end := len(s.taken) - 1
		last := s.taken[end]
		s.taken[c.at-1], last.at = last, c.at
		s.taken[end] = nil
		s.taken = s.taken[:end]
	}
	c.at = gone
}

// observe learns who waits for a next request.
func (s *seats) observe(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*guest)
	if s == nil || !ok {
		return
	}
	switch state {
	case http.StateIdle:
		c.rest(time.Now().UnixNano())
	case http.StateActive:
		c.stir()
	case http.StateNew, http.StateHijacked, http.StateClosed:
	}
}

// guestKey is under what a request's context has its connection.
type guestKey struct{}

func (s *seats) tell(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, conn)
}

// serve has overload answer the requests of those without a seat, and closes
// their connections after that.
func (s *seats) serve(next, overload http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.without.Load() > 0 {
			if c, ok := r.Context().Value(guestKey{}).(*guest); ok && !s.has(c) {
				w.Header().Set("Connection", "close")
				overload.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
