package atlas

import "sync"

// work is the set of goroutines that answer, probe and write. Once it is
// closed it takes no more, so that who waits for it waits for all: messages
// may still be delivered while a node stops. The zero value is ready.
type work struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Go runs f in a goroutine of its own, unless the work is closed.
func (w *work) Go(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.running.Go(f)
	}
}

// close takes no more work and waits for what is running.
func (w *work) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.running.Wait()
}
