package httpserver

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// inflight counts the handlers that have not returned yet. http.Server does
// not count those that took their connection over.
type inflight struct {
	mu    sync.Mutex
	count int
	// zero is closed while count is 0 and replaced when it leaves 0.
	zero chan struct{}
}

func newInflight() *inflight {
	f := &inflight{zero: make(chan struct{})}
	close(f.zero)
	return f
}

func (f *inflight) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.enter()
		defer f.leave()
		next.ServeHTTP(w, r)
	})
}

func (f *inflight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		f.zero = make(chan struct{})
	}
	f.count++
}

func (f *inflight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 {
		close(f.zero)
	}
}

// wait waits until no handler is left.
func (f *inflight) wait(most time.Duration) error {
	f.mu.Lock()
	zero := f.zero
	f.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-zero:
		return nil
	case <-timer.C:
		return fmt.Errorf("requests in flight did not end within %s", most)
	}
}
