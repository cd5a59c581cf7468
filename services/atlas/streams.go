package atlas

import (
	"context"
	"time"

	"fairlead.dev/bus/provision"
)

// streamsCheckEvery is how soon a stream that was deleted or changed by hand
// is put right.
const streamsCheckEvery = 5 * time.Second

// watchStreams keeps the streams as they have to be. The leader does it; the
// registry's own bucket is rebuilt by whoever finds that it is gone.
func (n *Node) watchStreams(ctx context.Context) {
	tick := time.NewTicker(streamsCheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n.leading.Load() {
			n.mendStreams(ctx)
		}
	}
}

func (n *Node) mendStreams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamsCheckEvery)
	defer cancel()
	if err := provision.Mend(ctx, n.store.js, n.opts.Provision); err != nil && ctx.Err() == nil {
		n.log.Warn("streams not put right, trying again", "error", err)
	}
}
