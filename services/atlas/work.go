package atlas

import (
	"sync"
	"time"
)

// idleMost is how long a goroutine waits for more work. One that has answered
// a request has the stack that the next one needs; growing it anew took a
// twentieth of the time of a busy node.
const idleMost = time.Second

// work is the set of goroutines that answer, probe and write. Once it is
// closed it takes no more, so that who waits for it waits for all: messages
// may still be delivered while a node stops.
type work struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	// next reaches a goroutine that is idle; ended tells them all to go.
	next  chan func()
	ended chan struct{}
}

func newWork() *work {
	return &work{next: make(chan func()), ended: make(chan struct{})}
}

// Go runs f in a goroutine of its own, unless the work is closed.
func (w *work) Go(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	select {
	case w.next <- f:
	default:
		w.running.Go(func() { w.serve(f) })
	}
}

// serve runs f, and then whatever comes before it has been idle for too long.
func (w *work) serve(f func()) {
	idle := time.NewTimer(idleMost)
	defer idle.Stop()
	for {
		f()
		idle.Reset(idleMost)
		select {
		case f = <-w.next:
		case <-idle.C:
			return
		case <-w.ended:
			return
		}
	}
}

// close takes no more work and waits for what is running.
func (w *work) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.ended)
	}
	w.mu.Unlock()
	w.running.Wait()
}
