package zookeeper

import (
	"sync"

	"github.com/go-zookeeper/zk"
)

// A queue never blocks who puts: events come from the goroutine that reads the
// connection, and whoever takes them asks over the same connection.
type queue struct {
	mu     sync.Mutex
	events []zk.Event
	signal chan struct{}
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

func (q *queue) put(e zk.Event) {
	q.mu.Lock()
	q.events = append(q.events, e)
	q.mu.Unlock()
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (q *queue) take() []zk.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = nil
	return events
}
