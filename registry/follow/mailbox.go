package follow

import (
	"sync"

	"fairlead.dev/registry"
)

// A message is one thing for the goroutine to deal with: an update heard by a
// feed, an answer to its request, a service that is wanted, or the twin's table.
type message struct {
	feed   *feed
	update registry.Update
	answer *answer
	want   *want
	loaded *loaded
	kept   *kept
	twin   *twin
}

type answer struct {
	snapshot registry.Snapshot
	err      error
}

type want struct {
	service string
	reply   chan<- *interest
}

// mailboxMost bounds the updates that wait. The goroutine never waits for
// anything but the mailbox, so only a starved process gets there.
const mailboxMost = 1 << 16

// A mailbox is a queue that never blocks those who put: what hears of changes
// must not hold up the bus.
type mailbox struct {
	mu     sync.Mutex
	queue  []message
	spare  []message // what was taken last, to be used again
	lost   map[*feed]struct{}
	signal chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{lost: map[*feed]struct{}{}, signal: make(chan struct{}, 1)}
}

func (m *mailbox) put(msg message) {
	m.mu.Lock()
	if isUpdate := msg.update != (registry.Update{}); isUpdate && len(m.queue) >= mailboxMost {
		m.lost[msg.feed] = struct{}{}
	} else {
		m.queue = append(m.queue, msg)
	}
	m.mu.Unlock()
	m.wake()
}

// wake has the goroutine look after everything.
func (m *mailbox) wake() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// empty tells whether nothing waits.
func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) == 0 && len(m.lost) == 0
}

// spareMost bounds the room that is kept for messages.
const spareMost = 64

// take returns all that waits, until it is called again. A feed that
// overflowed is told that it lost something.
func (m *mailbox) take() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	clear(m.spare)
	m.queue, m.spare = m.spare[:0], nil
	for f := range m.lost {
		queue = append(queue, message{feed: f, update: registry.Update{Lost: true}})
	}
	clear(m.lost)
	if cap(queue) <= spareMost {
		m.spare = queue
	}
	return queue
}
