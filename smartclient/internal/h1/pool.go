package h1

import (
	"context"
	"net"
	"sync"
	"time"
)

// A Pool keeps connections between requests. It may be used concurrently. Its
// fields must be set before use and not changed after.
type Pool struct {
	// Dial makes a connection; its errors are Send's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// IdleTimeout is how long a connection waits for its next request.
	IdleTimeout time.Duration
	// MostIdle is how many connections to one address wait.
	MostIdle int

	mu      sync.Mutex
	parked  map[string]*stack
	sweeper *time.Timer // nil while nothing waits
}

// A stack is the connections to one address that wait, the latest last.
type stack struct{ conns []*conn }

// conn returns a connection to addr, a kept one if there is one that lives. The
// latest is taken first: it is the least likely to have been closed meanwhile.
func (p *Pool) conn(ctx context.Context, addr string) (*conn, error) {
	for {
		c := p.pop(addr)
		switch {
		case c == nil:
			return p.dial(ctx, addr)
		case time.Since(c.parked) < p.IdleTimeout && c.alive():
			return c, nil
		}
		c.close()
	}
}

func (p *Pool) dial(ctx context.Context, addr string) (*conn, error) {
	c, err := p.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newConn(c, addr), nil
}

func (p *Pool) pop(addr string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.parked[addr]
	if s == nil || len(s.conns) == 0 {
		return nil
	}
	last := len(s.conns) - 1
	c := s.conns[last]
	s.conns[last], s.conns = nil, s.conns[:last]
	return c
}

// park keeps a connection for the next request, or closes it if there are
// enough.
func (p *Pool) park(c *conn) {
	c.kept, c.parked = true, time.Now()
	if !p.push(c) {
		c.close()
	}
}

func (p *Pool) push(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.parked[c.addr]
	if s == nil {
		s = p.open(c.addr)
	}
	if len(s.conns) >= p.MostIdle {
		return false
	}
	s.conns = append(s.conns, c)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.IdleTimeout, p.sweep)
	}
	return true
}

func (p *Pool) open(addr string) *stack {
	if p.parked == nil {
		p.parked = map[string]*stack{}
	}
	s := &stack{}
	p.parked[addr] = s
	return s
}

// sweep closes what has waited too long, and comes again while anything waits.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for addr, s := range p.parked {
		if s.expire(now.Add(-p.IdleTimeout)); len(s.conns) == 0 {
			delete(p.parked, addr)
		}
	}
	p.sweeper = nil
	if len(p.parked) > 0 {
		p.sweeper = time.AfterFunc(p.IdleTimeout/4, p.sweep)
	}
}

// expire closes the connections that were parked before a moment; the earliest
// are first.
func (s *stack) expire(before time.Time) {
	n := 0
	for n < len(s.conns) && !s.conns[n].parked.After(before) {
		s.conns[n].close()
		n++
	}
	if n > 0 {
		s.conns = append([]*conn(nil), s.conns[n:]...)
	}
}

// CloseIdleConnections closes the connections that wait.
func (p *Pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.parked {
		for _, c := range s.conns {
			c.close()
		}
	}
	clear(p.parked)
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
}
