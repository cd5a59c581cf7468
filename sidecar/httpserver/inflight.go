package httpserver

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// inflight counts what has not ended yet: the handlers, because http.Server
// does not count those that took their connection over, or the connections.
type inflight struct {
	// leaving has answers say that theirs is the last one of its connection.
	leaving atomic.Bool

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
		if f.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
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

// none is closed as long as there is none.
func (f *inflight) none() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.zero
}

// observe counts connections. Those that a handler takes over are the
// handler's.
func (f *inflight) observe(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		f.enter()
	case http.StateHijacked, http.StateClosed:
		f.leave()
	case http.StateActive, http.StateIdle:
	}
}

// wait waits until no handler is left.
func (f *inflight) wait(most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-f.none():
		return nil
	case <-timer.C:
		return fmt.Errorf("requests in flight did not end within %s", most)
	}
}
