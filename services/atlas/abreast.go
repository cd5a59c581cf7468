package atlas

import (
	"context"
	"sync"
	"time"
)

// abreastFor is how long a node counts as abreast after a look at the bucket: it
// looks every second.
const abreastFor = 2*bucketCheckEvery + bucketCheckEvery/2

// A doubt is shared by all readers of a node that has not heard from the
// bucket for a while: one of them asks, the others wait for its answer. The
// zero value is ready.
type doubt struct {
	mu      sync.Mutex
	settled time.Time // when the bucket was last asked, in vain or not
}

// abreast is called before a snapshot is taken. A node that was cut off does
// not know what it missed: it catches up first, so that nobody's table goes
// back. It waits for a second at most. If the bucket does not answer, what this
// node knows is better than nothing, for a table that knows more ignores it.
func (n *Node) abreast(ctx context.Context) {
	var is bool
	err := n.ask(ctx, func(s *state) { is = time.Since(s.lead.answered) < abreastFor })
	if err != nil || is {
		return
	}
	n.doubt.mu.Lock()
	defer n.doubt.mu.Unlock()
	if time.Since(n.doubt.settled) < bucketAnswersIn {
		return
	}
	asked, cancel := context.WithTimeout(ctx, bucketAnswersIn)
	defer cancel()
	if pos, err := n.store.position(asked); err == nil {
		_ = n.applied(asked, pos.last)
	}
	n.doubt.settled = time.Now()
}
