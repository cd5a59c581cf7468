package atlas

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// abreastFor is how long a node counts as abreast after a look at the bucket: it
// looks every second.
const abreastFor = 2*bucketCheckEvery + bucketCheckEvery/2

// digestsFor is how long after a look at the bucket a leader publishes digests.
const digestsFor = bucketCheckEvery + bucketCheckEvery/2

// A doubt is shared by all readers of a node that has not heard from the
// bucket for a while: one of them asks, the others wait for its answer. The
// zero value is ready.
type doubt struct {
	mu      sync.Mutex
	settled time.Time // when the bucket was last asked, in vain or not
	behind  bool      // what came of it
}

var errBehind = fmt.Errorf("%w: this node was cut off and has not caught up yet", registry.ErrUnavailable)

// abreast is called before a snapshot is taken. A node that was cut off does
// not know what it missed: it catches up first, so that nobody's table goes
// back, and refuses if it knows that it has not got there within a second. If
// neither the bucket nor another node tells, what this one knows is better than
// nothing: a table that knows more ignores it.
func (n *Node) abreast(ctx context.Context) error {
	is, err := answerOf(ctx, n, func(s *state) bool { return time.Since(s.lead.answered) < abreastFor })
	if err != nil || is {
		return err
	}
	n.doubt.mu.Lock()
	defer n.doubt.mu.Unlock()
	if time.Since(n.doubt.settled) >= bucketAnswersIn {
		n.doubt.behind = n.isBehind(ctx)
		n.doubt.settled = time.Now()
	}
	if n.doubt.behind {
		return errBehind
	}
	return nil
}

func (n *Node) isBehind(ctx context.Context) bool {
	asked, cancel := context.WithTimeout(ctx, bucketAnswersIn)
	defer cancel()
	if pos, err := n.store.position(asked); err == nil && n.applied(asked, pos.last) != nil {
		return true
	}
	behind, _ := answerOf(ctx, n, func(s *state) bool { return s.behindOthers(time.Now()) })
	return behind
}

// behindOthers tells whether a node that the bucket answers is further.
func (s *state) behindOthers(now time.Time) bool {
	return slices.ContainsFunc(s.others(now), func(p presence) bool {
		return p.Able && p.Epoch == s.model.epoch && p.Sequence > s.model.seq
	})
}
