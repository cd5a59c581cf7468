package smartservice

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// fresh are connections that were accepted and have sent nothing yet. Callers
// open more than they use: net/http dials while it also waits for a kept
// connection. [http.Server.Shutdown] waits five seconds for each of them, as
// it cannot know how long ago callers were sent elsewhere. A service that has
// drained does.
type fresh struct {
	mu    sync.Mutex
	since map[net.Conn]time.Time
}

func newFresh() *fresh { return &fresh{since: map[net.Conn]time.Time{}} }

// track is the server's ConnState hook.
func (f *fresh) track(conn net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.since[conn] = time.Now()
		return
	}
	delete(f.since, conn)
}

// closeOlder closes those that had at least this long to send something.
func (f *fresh) closeOlder(age time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn, since := range f.since {
		if time.Since(since) >= age {
			_ = conn.Close()
		}
	}
}
