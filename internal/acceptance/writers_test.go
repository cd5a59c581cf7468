package acceptance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

const writersAtOnce = 4

// writers set flags, one write after the other each, and remember what was
// acknowledged.
type writers struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
	all    []*writer
}

type writer struct {
	session *connect.Session
	key     registry.Key

	mu    sync.Mutex
	acked int // the last number that was
	at    []time.Time
	last  registry.Revision
}

func (c *cluster) startWriters(t *testing.T) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{cancel: cancel}
	for i := range writersAtOnce {
		one := &writer{session: c.open(t), key: registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprintf("identity-%d", i+1)}}
		w.all = append(w.all, one)
		w.ended.Go(func() { one.run(ctx) })
	}
	t.Cleanup(w.stop)
	return w
}

func (w *writers) stop() {
	w.cancel()
	w.ended.Wait()
}

// run writes numbers as the reasons of flags that change nothing else.
func (w *writer) run(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		revision, err := w.session.Atlas().SetFlag(ctx, w.key, &registry.Flag{Enabled: true, Owner: "jane", Reason: strconv.Itoa(n)})
		if err == nil {
			w.acknowledged(n, revision)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (w *writer) acknowledged(n int, revision registry.Revision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked, w.last, w.at = n, revision, append(w.at, time.Now())
}

func (w *writer) wroteAfter(since time.Time) (registry.Revision, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, len(w.at) > 0 && w.at[len(w.at)-1].After(since)
}

// awaitWrite waits until any writer's write is acknowledged.
func (w *writers) awaitWrite(t *testing.T, since time.Time) (revision registry.Revision) {
	t.Helper()
	within(t, patience, "a write is acknowledged", func() bool {
		for _, one := range w.all {
			var wrote bool
			if revision, wrote = one.wroteAfter(since); wrote {
				return true
			}
		}
		return false
	})
	return revision
}

// awaitAll waits until a write of each writer is.
func (w *writers) awaitAll(t *testing.T) {
	t.Helper()
	since := time.Now()
	for _, one := range w.all {
		within(t, patience, "every writer's write is acknowledged", func() bool {
			_, wrote := one.wroteAfter(since)
			return wrote
		})
	}
}

// gaps returns the longest time since then in which no write at all was
// acknowledged, and in which none of some one writer was.
func (w *writers) gaps(since time.Time) (total, worst time.Duration) {
	var all []time.Time
	for _, one := range w.all {
		one.mu.Lock()
		at := slices.Clone(one.at)
		one.mu.Unlock()
		worst = max(worst, longestGap(since, at))
		all = append(all, at...)
	}
	return longestGap(since, all), worst
}

func longestGap(since time.Time, at []time.Time) (longest time.Duration) {
	at = slices.SortedFunc(slices.Values(at), time.Time.Compare)
	last := since
	for _, one := range at {
		if one.After(since) {
			longest, last = max(longest, one.Sub(last)), one
		}
	}
	return longest
}

// nothingIsLost looks in the bucket for what was acknowledged last: nothing
// older may be there. Any copy may answer, one that lags as well; what is lost
// would stay so.
func (w *writers) nothingIsLost(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range w.all {
		within(t, patience, fmt.Sprintf("write %d of %s is stored, which was acknowledged", one.acked, one.key), func() bool {
			stored, err := storedNumber(t, kv, one.key)
			return err == nil && stored >= one.acked
		})
		t.Logf("%s: %d writes were acknowledged", one.key, len(one.at))
	}
}

func storedNumber(t *testing.T, kv jetstream.KeyValue, k registry.Key) (int, error) {
	t.Helper()
	entry, err := kv.Get(t.Context(), "hosts."+k.Dotted()+".enabled")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(decode[registry.Flag](t, string(entry.Value())).Reason)
}
