package embedded

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// behindMost is how much may wait to be written to the server before a
	// writer has to wait too.
	behindMost = 1 << 20
	// behindFor is how long closing waits for what is still to be written.
	behindFor = time.Second
)

// A bufferedPipe is one end of a [net.Pipe] whose writers do not wait for the
// reader, as those of a socket do not. A client of the bus holds its lock while
// it writes: without a buffer, all its publishers and its own reader would wait
// for whatever the server is doing.
type bufferedPipe struct {
	net.Conn

	mu      sync.Mutex
	changed sync.Cond
	waiting []byte
	closed  bool
	err     error // of writing, for good

	written sync.WaitGroup
}

func newBufferedPipe(conn net.Conn) *bufferedPipe {
	p := &bufferedPipe{Conn: conn}
	p.changed.L = &p.mu
	p.written.Go(p.run)
	return p
}

// Write takes all of data, or fails.
func (p *bufferedPipe) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) >= behindMost && p.err == nil && !p.closed {
		p.changed.Wait()
	}
	switch {
	case p.err != nil:
		return 0, p.err
	case p.closed:
		return 0, io.ErrClosedPipe
	}
	p.waiting = append(p.waiting, data...)
	p.changed.Broadcast()
	return len(data), nil
}

// run writes what waits until the pipe is closed or broken.
func (p *bufferedPipe) run() {
	var spare []byte
	for {
		next, ok := p.take(spare)
		if !ok {
			return
		}
		if _, err := p.Conn.Write(next); err != nil {
			p.fail(err)
			return
		}
		spare = next[:0]
		if cap(spare) > behindMost {
			spare = nil // one burst does not hold its memory for good
		}
	}
}

// take waits for something to write. Closing leaves nothing behind.
func (p *bufferedPipe) take(spare []byte) (next []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) == 0 && !p.closed {
		p.changed.Wait()
	}
	next, p.waiting = p.waiting, spare
	p.changed.Broadcast()
	return next, len(next) > 0
}

func (p *bufferedPipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.waiting = err, nil
	p.changed.Broadcast()
}

// Close writes what waits, for a second at most, and closes the pipe.
func (p *bufferedPipe) Close() error {
	p.mu.Lock()
	p.closed = true
	p.changed.Broadcast()
	p.mu.Unlock()
	_ = p.Conn.SetWriteDeadline(time.Now().Add(behindFor))
	p.written.Wait()
	return p.Conn.Close()
}

// SetDeadline and SetWriteDeadline leave writing alone, which does not block
// for as long as there is room: the deadline of one write is not that of those
// that still wait.
func (p *bufferedPipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline does nothing, see SetDeadline.
func (p *bufferedPipe) SetWriteDeadline(time.Time) error { return nil }
