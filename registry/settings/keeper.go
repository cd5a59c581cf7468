package settings

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// Options of a keeper. Source and Key are required.
type Options struct {
	Source registry.SettingsSource
	Key    registry.ServiceKey
	// OnConnect has a function called after each connection to the registry;
	// nil if there is nothing to connect.
	OnConnect func(func()) (remove func())
	// Every is how often all are read again, about; a minute by default.
	Every time.Duration
	// Changed is called with the names whose values have changed, one call at
	// a time, once [Keeper.Values] has them. The first reading counts as a
	// change. It must not call Close.
	Changed func(names []string)
	Logger  *slog.Logger // nil: slog.Default()
}

const (
	everyDefault = time.Minute
	// readTimeout bounds one reading. Changes that come meanwhile wait for it.
	readTimeout = 2 * time.Second
	// heardMost is how many changes may wait. More are not kept: all are read
	// again then.
	heardMost = 256
	// crowd spreads those who have to read again for the same reason.
	crowd = 500 * time.Millisecond
	// retryFirst and retryMost are the pauses after failed readings.
	retryFirst = 250 * time.Millisecond
	retryMost  = 10 * time.Second
)

// A Keeper follows the settings of one service. Its methods may be called
// concurrently.
type Keeper struct {
	opts   Options
	log    *slog.Logger
	values atomic.Pointer[Values]

	heard  chan registry.Setting
	again  chan struct{}
	loaded chan struct{} // closed by the first reading

	ctx    context.Context
	cancel context.CancelFunc
	start  sync.Once
	done   sync.WaitGroup
}

// New returns a keeper that knows nothing yet. Start it.
func New(opts Options) *Keeper {
	if opts.Every <= 0 {
		opts.Every = everyDefault
	}
	if opts.Changed == nil {
		opts.Changed = func([]string) {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	k := &Keeper{
		opts: opts, log: opts.Logger.With("component", "settings"),
		heard: make(chan registry.Setting, heardMost), again: make(chan struct{}, 1), loaded: make(chan struct{}),
	}
	k.values.Store(&Values{})
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// Start begins to follow, and returns at once.
func (k *Keeper) Start() { k.start.Do(func() { k.done.Go(k.run) }) }

// Close stops following and waits for a call of Options.Changed under way. The
// values stay as they are. It may be called twice.
func (k *Keeper) Close() {
	k.cancel()
	k.done.Wait()
}

// Values returns what is known now, never nil.
func (k *Keeper) Values() *Values { return k.values.Load() }

// Loaded waits for the first reading. The error is that of ctx, or
// [registry.ErrUnavailable] after Close.
func (k *Keeper) Loaded(ctx context.Context) error {
	select {
	case <-k.loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("settings of %s were not read yet: %w", k.opts.Key, ctx.Err())
	case <-k.ctx.Done():
		return fmt.Errorf("settings of %s are not followed any more: %w", k.opts.Key, registry.ErrUnavailable)
	}
}

// state belongs to the keeper's goroutine.
type state struct {
	stop     func() // of listening; nil until that has begun
	last     uint64 // revision heard last
	failures int
	told     string
}

func (k *Keeper) run() {
	if k.opts.OnConnect != nil {
		defer k.opts.OnConnect(k.readAgain)()
	}
	s := &state{}
	defer func() {
		if s.stop != nil {
			s.stop()
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case change := <-k.heard:
			k.take(s, change)
		case <-k.again:
			timer.Reset(rand.N(crowd))
		case <-timer.C:
			timer.Reset(pause(k.read(s), s.failures, k.opts.Every))
		}
	}
}

// take applies a change. What comes from one bucket rises, so what does not
// comes from another.
func (k *Keeper) take(s *state, change registry.Setting) {
	if change.Revision <= s.last {
		k.readAgain()
	}
	s.last = change.Revision
	k.become(k.Values().heard(change))
}

// hear is called by the source.
func (k *Keeper) hear(change registry.Setting) {
	select {
	case k.heard <- change:
	default:
		k.readAgain()
	}
}

func (k *Keeper) readAgain() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

// read listens before it asks, so that nothing falls between.
func (k *Keeper) read(s *state) error {
	err := k.listen(s)
	var all registry.Settings
	if err == nil {
		ctx, cancel := context.WithTimeout(k.ctx, readTimeout)
		defer cancel()
		all, err = k.opts.Source.Settings(ctx, k.opts.Key)
	}
	k.tell(s, all, err)
	if err != nil {
		s.failures++
		return err
	}
	s.failures = 0
	k.become(k.Values().merged(all))
	k.markLoaded()
	return nil
}

func (k *Keeper) listen(s *state) (err error) {
	if s.stop == nil {
		s.stop, err = k.opts.Source.ListenSettings(k.opts.Key, k.hear)
	}
	return err
}

func (k *Keeper) become(next *Values) {
	before := k.values.Swap(next)
	if names := changed(before, next); len(names) > 0 {
		k.opts.Changed(names)
	}
}

func (k *Keeper) markLoaded() {
	select {
	case <-k.loaded:
	default:
		close(k.loaded)
	}
}

// pause returns how long to wait after a reading.
func pause(err error, failures int, every time.Duration) time.Duration {
	if err == nil {
		return every*9/10 + rand.N(every/5+1)
	}
	longest := min(retryMost, retryFirst<<min(failures, 6))
	return longest/2 + rand.N(longest/2)
}
