package atlas

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
)

const (
	// electedSubject is where a replicated stream's new leader tells of itself.
	electedSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED." + bucketStream
	// writePause is between two tries of a write while the bucket has no leader.
	writePause = 100 * time.Millisecond
	// ackTimeout forgets acknowledgements that will never come.
	ackTimeout = 2 * writeTimeout
)

// errNewLeader says that a write may have been lost with the bucket's leader.
// Trying it again is safe: its compare-and-set fails if it was not lost.
var errNewLeader = errors.New("the bucket has a new leader")

// An interruption ends what waits for somebody who will not answer any more.
// The zero value is ready.
type interruption struct {
	mu      sync.Mutex
	waiting map[*context.CancelCauseFunc]bool
}

// bound returns a context that ends at the next strike.
func (i *interruption) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting == nil {
		i.waiting = map[*context.CancelCauseFunc]bool{}
	}
	i.waiting[&cancel] = true
	return ctx, func() {
		i.mu.Lock()
		delete(i.waiting, &cancel)
		i.mu.Unlock()
		cancel(nil)
	}
}

func (i *interruption) strike(cause error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for cancel := range i.waiting {
		(*cancel)(cause)
	}
}

// watchLeader lets writes that the bucket's last leader took with it be tried
// again as soon as there is a new one, and not when they time out.
func (n *Node) watchLeader() error {
	sub, err := n.nc.Subscribe(electedSubject, func(*nats.Msg) { n.store.writer.lost.strike(errNewLeader) })
	if err != nil {
		return fmt.Errorf("watch the bucket's leader: %w", err)
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	return nil
}

// untilTaken tries a write again while the bucket cannot take it, until ctx
// ends: an election takes about as long as a requester waits.
func untilTaken(ctx context.Context, try func(context.Context) (uint64, error)) (uint64, error) {
	for {
		seq, err := try(ctx)
		if !errors.Is(err, registry.ErrUnavailable) {
			return seq, err
		}
		select {
		case <-time.After(writePause):
		case <-ctx.Done():
			return 0, err
		}
	}
}
