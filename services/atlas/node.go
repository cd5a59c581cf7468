package atlas

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/bus"
	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
)

// Options of a node. Conn is required; the rest has useful zero values.
type Options struct {
	// Conn is a connection with the credentials of the ATLAS account. The
	// node does not close it.
	Conn *bus.Conn
	// Heartbeats are more connections like it, to hear heartbeats by; Conn if
	// there are none.
	Heartbeats []*bus.Conn
	// Terms of leases; the zero value means [DefaultTerms].
	Terms Terms
	// DigestEvery is how often digests are published, 2 s by default.
	DigestEvery time.Duration
	// MaxSuspect is how long an instance that sends no heartbeats is kept
	// because something answers at its endpoint, or because too many fell
	// silent at once, an hour by default.
	MaxSuspect time.Duration
	// StoreError tells why the bus's store next to this node takes no writes,
	// nil while it does. It may be nil, on a bus that others look after.
	StoreError func() error
	// Provision is how streams and buckets are made.
	Provision provision.Options
	Logger    *slog.Logger
	// MeterProvider gets the node's metrics; OpenTelemetry's global by default.
	MeterProvider metric.MeterProvider
}

func (o Options) withDefaults() Options {
	if o.Terms == (Terms{}) {
		o.Terms = DefaultTerms
	}
	if o.DigestEvery == 0 {
		o.DigestEvery = 2 * time.Second
	}
	if o.MaxSuspect == 0 {
		o.MaxSuspect = time.Hour
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("component", "atlas")
	return o
}

// A Node is one running Atlas. Its methods may be called concurrently.
type Node struct {
	opts  Options
	log   *slog.Logger
	nc    *nats.Conn
	store *store
	// prober looks after leases; registering asks those whose id somebody else
	// wants, which a stranger can cause, so they do not share their room.
	prober      *prober
	registering *prober
	events      *eventLog
	packed      snapshotCache
	doubt       doubt
	meters      meters
	requesters  memo[requester]
	deadlines   deadlines
	networks    networks
	// began is the zero of this node's own clock, see moment.
	began   time.Time
	ears    []*ear
	leases  *leaseIndex
	samples samples

	entries  chan entry
	commands chan func(*state)
	stopped  chan struct{}
	look     chan struct{}
	// echoes are of the records that are being written.
	echoes echoes
	// taken is the sequence that the model has taken in.
	taken atomic.Uint64
	// leading is what the owner of the state knows, for everybody else.
	leading atomic.Bool

	cancel context.CancelFunc
	work   *work
	loops  sync.WaitGroup
	closer []func()
	once   sync.Once
}

// Start makes the buckets and streams where they are missing, replays the
// registry, and begins to answer. ctx bounds the start only.
func Start(ctx context.Context, opts Options) (*Node, error) {
	opts = opts.withDefaults()
	js, err := jetstream.New(opts.Conn.NATS(), jetstream.WithPublishAsyncMaxPending(4096), jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return nil, fmt.Errorf("start atlas: %w", err)
	}
	n := &Node{
		opts: opts, log: opts.Logger, nc: opts.Conn.NATS(),
		store:  &store{js: js, nc: opts.Conn.NATS(), writer: newWriter(opts.Conn.NATS(), js, opts.Logger)},
		prober: newProber(), registering: newProber(),
		events:   newEventLog(opts.Conn, js, opts.Logger),
		entries:  make(chan entry, 1024),
		commands: make(chan func(*state), 256),
		stopped:  make(chan struct{}),
		work:     newWork(),
		began:    time.Now(),
		leases:   newLeaseIndex(),
		look:     make(chan struct{}, 1),
	}
	n.listen()
	if err := n.start(ctx); err != nil {
		n.stop()
		return nil, fmt.Errorf("start atlas: %w", err)
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	if err := n.measure(n.opts.MeterProvider); err != nil {
		return err
	}
	if err := provision.Ensure(ctx, n.store.js, n.opts.Provision); err != nil {
		return err
	}
	n.loops.Go(func() { n.store.writer.run(running) })
	if err := provision.Persist(ctx, n.log, n.store.ensureOwn); err != nil {
		return err
	}
	// Listening begins before the replay, so nothing falls between the two.
	sub, err := n.store.follow(func(e entry) {
		e.record = n.echoes.take(e.key, e.value)
		n.offer(running, e)
	})
	if err != nil {
		return err
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	var s *state
	err = provision.Persist(ctx, n.log, func(ctx context.Context) (err error) { s, err = n.load(ctx); return err })
	if err != nil {
		return err
	}
	realms := slices.Collect(maps.Keys(s.model.realms))
	n.work.Go(func() { n.learnNetworks(running, realms) })
	// Whoever listens for nodes is taken for one: the ears do so afterwards.
	n.join(ctx, running, s)
	if err := n.tryEars(s.lead.node); err != nil {
		return err
	}
	n.loops.Go(func() { s.run(running) })
	n.loops.Go(func() { n.events.run(running) })
	n.loops.Go(func() { n.watchBucket(running) })
	n.loops.Go(func() { n.watchStreams(running) })
	if err := cmp.Or(n.watchConnections(running), n.watchLeader(), n.tellOfSettings(running)); err != nil {
		return err
	}
	if err := n.hearNodes(running); err != nil {
		return err
	}
	n.watchBus(running)
	if err := n.serve(running, ctx); err != nil {
		return err
	}
	n.closer = append(n.closer, n.leave)
	return nil
}

// join makes a loaded state one of the nodes: the leading one at once, if there
// is no other.
func (n *Node) join(starting, running context.Context, s *state) {
	s.lead.met = n.meet(starting, s.presence(time.Now()))
	now := time.Now()
	s.lastRan = now
	if s.lead.met {
		s.lead.listening = now.Add(listenFor)
		return
	}
	s.lead.inTouch = true
	s.lead.roster.note(s.presence(now), now)
	s.vote(running, now)
}

func (n *Node) offer(ctx context.Context, e entry) {
	select {
	case n.entries <- e:
	case <-ctx.Done():
	}
}

// load replays the bucket.
func (n *Node) load(ctx context.Context) (*state, error) {
	s := newState(n)
	m, pos, err := n.store.recall(ctx)
	if err != nil {
		return nil, err
	}
	s.model = m
	n.events.know(s.model.secret)
	now := time.Now()
	s.created, s.recent.after = pos.created, s.model.seq
	s.lead.answered = now
	s.adoptLeases(n.moment(now))
	n.log.Info("registry loaded", "epoch", s.model.epoch, "revision", s.model.seq, "quarantined", len(s.model.quarantined))
	return s, nil
}

// Stop ends the node: no new requests, those under way are answered or
// cancelled, and everything it started is joined. It is idempotent and
// returns when all is done or ctx ends.
func (n *Node) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() { defer close(done); n.stop() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop atlas: %w", ctx.Err())
	}
}

func (n *Node) stop() {
	n.once.Do(func() {
		for i := len(n.closer) - 1; i >= 0; i-- {
			n.closer[i]()
		}
		if n.cancel != nil {
			n.cancel()
		}
		n.work.close()
		n.loops.Wait()
		n.prober.close()
		n.registering.close()
		close(n.stopped)
	})
	<-n.stopped
}

var errStopping = fmt.Errorf("%w: this node is stopping", registry.ErrUnavailable)

// ask runs f in the goroutine that owns the state and waits for it. If ctx ends
// first f may still run later: what it writes must not be read then.
func (n *Node) ask(ctx context.Context, f func(*state)) error {
	_, err := answerOf(ctx, n, func(s *state) struct{} { f(s); return struct{}{} })
	return err
}

// answerOf is ask for an answer, which is the zero value if ctx ends first.
func answerOf[T any](ctx context.Context, n *Node, f func(*state) T) (answer T, err error) {
	done := make(chan T, 1)
	select {
	case n.commands <- func(s *state) { done <- f(s) }:
	case <-ctx.Done():
		return answer, asUnavailable(ctx)
	}
	select {
	case answer = <-done:
		return answer, nil
	case <-ctx.Done():
		return answer, asUnavailable(ctx)
	}
}

func asUnavailable(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errStopping
	}
	return fmt.Errorf("%w: %w", registry.ErrUnavailable, ctx.Err())
}

// tell is ask without the wait, for goroutines that report to the owner.
func (n *Node) tell(ctx context.Context, f func(*state)) {
	select {
	case n.commands <- f:
	case <-ctx.Done():
	}
}

// standing is what the owner knows of a key at one moment.
type standing struct {
	epoch  string
	record *record
	seqs   [aspects]uint64
	set    [aspects]bool // there is a value, be it rubbish
	// held tells whether the lease still runs.
	held bool
	// spared is why the lease's end is not believed, "" if it is.
	spared string
	// doubt is why this node may not decide at the moment.
	doubt error
}

func (n *Node) standing(ctx context.Context, k registry.Key) (standing, error) {
	st, err := answerOf(ctx, n, func(s *state) standing {
		now := time.Now()
		st := s.standing(k, now)
		st.doubt = s.resumed(now)
		return st
	})
	return st, cmp.Or(err, st.doubt)
}

// applied waits until this node's model has taken in a sequence, so that
// whoever is answered finds what was written.
func (n *Node) applied(ctx context.Context, seq uint64) error {
	if n.taken.Load() >= seq {
		return nil // the bucket tells of a write before it acknowledges it
	}
	var reached <-chan struct{}
	if err := n.ask(ctx, func(s *state) { reached = s.reached(seq) }); err != nil {
		return err
	}
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return asUnavailable(ctx)
	}
}

// catchUp waits until the model knows a key's last message, after a
// compare-and-set has found that it does not.
func (n *Node) catchUp(ctx context.Context, key string) error {
	last, err := n.store.lastOf(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: %w", registry.ErrUnavailable, err)
	}
	return n.applied(ctx, last)
}

// randomID returns a short random id.
func randomID() string { return rand.Text()[:16] }
