package follow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// Options of a follower. Source and Realm are required.
type Options struct {
	Source registry.Source
	Realm  string

	// WholeRealm follows every service. Otherwise Services are followed from
	// the start, and every other one from its first use.
	WholeRealm bool
	Services   []string

	// Grace is how long an instance that a new epoch's snapshot lacks stays
	// as suspect; 6 s by default, one lease.
	Grace time.Duration
	// DigestPatience is how long a digest may differ before the table asks
	// again: longer than a change takes, 1 s by default.
	DigestPatience time.Duration
	// FirstAnswer is how long Resolve waits at most for a service that the
	// registry has not spoken of yet, 2 s by default.
	FirstAnswer time.Duration
	// UnknownIdle is how long a service without instances is followed after
	// its last use, 1 minute by default. At most UnknownMost such services
	// are followed, 64 by default, so that mistyped names cost little.
	UnknownIdle time.Duration
	UnknownMost int

	// Cache keeps what is followed beyond the end of the process; nil: nothing
	// is kept. What it has is used when the registry does not answer within
	// CacheAfter, 1 s by default, or fails to at once.
	Cache      registry.Cache
	CacheAfter time.Duration

	// Twin returns the table of the realm that somebody else in this process
	// holds, or nil. What is the same in both is held once then, from a second
	// after it changed. It is called in a goroutine of its own. A nil Twin is
	// for who holds the only one.
	Twin func(context.Context) *registry.Table

	Logger *slog.Logger // nil: slog.Default()
}

func (o Options) withDefaults() Options {
	o.Grace = cmp.Or(o.Grace, 6*time.Second)
	o.DigestPatience = cmp.Or(o.DigestPatience, time.Second)
	o.FirstAnswer = cmp.Or(o.FirstAnswer, 2*time.Second)
	o.UnknownIdle = cmp.Or(o.UnknownIdle, time.Minute)
	o.UnknownMost = cmp.Or(o.UnknownMost, 64)
	o.CacheAfter = cmp.Or(o.CacheAfter, time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default()).With("component", "follow", "realm", o.Realm)
	return o
}

// A Follower implements [registry.Resolver] and [registry.Watcher]. Its
// methods may be called concurrently.
type Follower struct {
	opts  Options
	log   *slog.Logger
	inbox *mailbox
	view  atomic.Pointer[view]
	stats counters

	ctx      context.Context
	cancel   context.CancelFunc
	asks     sync.WaitGroup
	done     chan struct{}
	starting sync.Once

	own *state // of who has the turn
}

var (
	_ registry.Resolver = (*Follower)(nil)
	_ registry.Watcher  = (*Follower)(nil)
)

// A view is what readers see. It is immutable.
type view struct {
	table     *registry.Table
	changed   chan struct{}
	interests map[string]*interest
}

// An interest is the part of a feed that readers share with the goroutine.
// Its key is the service, "" for the whole realm.
type interest struct {
	// first is closed once the registry has spoken of it.
	first chan struct{}
	used  atomic.Bool
	// problem is why the last request failed; nil after a success.
	problem atomic.Pointer[error]
}

// New returns a follower that does nothing yet.
func New(opts Options) *Follower {
	opts = opts.withDefaults()
	f := &Follower{opts: opts, log: opts.Logger, inbox: newMailbox(), done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.own = newState(opts.Realm)
	f.own.table = f.own.truth
	for _, name := range f.pinned() {
		f.add(name, true)
	}
	// A table of nothing is current, and whoever carries it should know.
	f.own.dirty = len(f.own.feeds) == 0
	f.view.Store(&view{table: f.own.truth, changed: make(chan struct{}), interests: f.own.interests()})
	return f
}

func (f *Follower) pinned() []string {
	if f.opts.WholeRealm {
		return []string{""}
	}
	return f.opts.Services
}

// Start begins to follow, in the background.
func (f *Follower) Start() {
	f.starting.Do(func() { go f.run() })
}

// Close ends following and waits for it. The table stays readable.
func (f *Follower) Close() {
	f.cancel()
	f.starting.Do(func() { close(f.done) })
	<-f.done
}

// Table implements [registry.Watcher]. The table of a follower that heard
// nothing yet is empty.
func (f *Follower) Table() (*registry.Table, <-chan struct{}) {
	v := f.view.Load()
	return v.table, v.changed
}

// Age is how long ago the table was last known to be current.
func (f *Follower) Age() time.Duration { return time.Since(f.view.Load().table.Updated) }

// Ready waits for the first snapshot of everything that the options name, be
// it from the cache. The error wraps [registry.ErrNeverSeen] and ctx's.
func (f *Follower) Ready(ctx context.Context) error {
	for _, name := range f.pinned() {
		if in := f.view.Load().interests[name]; in != nil {
			if err := f.waitFirst(ctx, in); err != nil {
				return fmt.Errorf("follow realm %s: %w", f.opts.Realm, err)
			}
		}
	}
	return nil
}

// Stats counts what a follower did.
type Stats struct {
	Snapshots uint64 // snapshots received
	Failures  uint64 // snapshots asked for in vain
	Changes   uint64 // messages with changes heard
	Resyncs   uint64 // reasons found to ask again
	Saves     uint64 // tables saved in the cache
}

type counters struct{ snapshots, failures, changes, resyncs, saves atomic.Uint64 }

// Stats returns the counts since the start.
func (f *Follower) Stats() Stats {
	return Stats{
		Snapshots: f.stats.snapshots.Load(), Failures: f.stats.failures.Load(),
		Changes: f.stats.changes.Load(), Resyncs: f.stats.resyncs.Load(),
		Saves: f.stats.saves.Load(),
	}
}
