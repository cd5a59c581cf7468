package atlas

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
)

const (
	bucketCheckEvery = time.Second
	bucketRetry      = 250 * time.Millisecond
	// bucketAnswersIn bounds the wait for the bucket's stream to tell how far
	// it is, and then for the model to get there.
	bucketAnswersIn = time.Second
)

// ensureOwn gives a bucket that is new the secret that the ids of its events are
// made with, and its random id.
func (s *store) ensureOwn(ctx context.Context) error {
	for _, key := range []string{secretKey, epochKey} {
		if err := s.ensureRandom(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) ensureRandom(ctx context.Context, key string) error {
	last, err := s.lastOf(ctx, key)
	if err != nil || last != 0 {
		return err
	}
	_, err = s.put(ctx, key, []byte(randomID()), 0, "")
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// watchBucket looks, every second, whether the model is as far as the bucket:
// the last of several lost messages leaves no gap to be seen. It also finds a
// bucket that was deleted by hand. While the bucket does not answer it looks
// more often, because this node cannot lead meanwhile.
func (n *Node) watchBucket(ctx context.Context) {
	for ctx.Err() == nil {
		pause := time.NewTimer(bucketCheckEvery)
		if !n.checkBucket(ctx) {
			pause.Reset(bucketRetry)
		}
		select {
		case <-pause.C:
		case <-n.look:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// lookAtBucket has the bucket checked now rather than within a second.
func (n *Node) lookAtBucket() {
	select {
	case n.look <- struct{}{}:
	default:
	}
}

// checkBucket reports whether the bucket answered.
func (n *Node) checkBucket(ctx context.Context) bool {
	asked, cancel := context.WithTimeout(ctx, bucketAnswersIn)
	defer cancel()
	pos, err := n.lookUp(asked)
	if err != nil {
		n.log.Debug("bucket not checked", "error", err)
		return false
	}
	var todo remedy
	if n.ask(ctx, func(s *state) { todo = s.diagnose(pos, time.Now()); s.fanout.sole = pos.sole }) != nil {
		return false
	}
	switch todo {
	case await:
		n.compare(ctx, pos)
	case adopt:
		_ = n.ask(ctx, func(s *state) { s.reload(ctx) })
	case rebuild:
		n.rebuild(ctx)
	}
	return true
}

// lookUp returns where the bucket stands, which is nowhere if there is none. Of
// one that is not the known one it finds out whether it has an id yet.
func (n *Node) lookUp(ctx context.Context) (position, error) {
	pos, err := n.store.position(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return position{}, nil
	}
	if err != nil {
		return pos, err
	}
	var known time.Time
	if err := n.ask(ctx, func(s *state) { known = s.created }); err != nil || pos.created.Equal(known) {
		return pos, err
	}
	id, err := n.store.lastOf(ctx, epochKey)
	pos.unfinished = id == 0
	return pos, err
}

// A remedy is what a look at the bucket calls for.
type remedy int

const (
	// await: it is the bucket we know; see whether the model gets as far.
	await remedy = iota
	// abide: something is wrong with it that another node mends.
	abide
	// adopt: another bucket took its place, and holds the truth.
	adopt
	// rebuild: it is gone, and what it held is in our memory.
	rebuild
)

// diagnose finds what to do about the bucket. Only the leader rebuilds it: when
// it is gone, or was replaced while this node watched. Who finds another bucket
// after having been away takes that for the truth, and so do the others once
// the leader has. A bucket without an id is nobody's truth: its rebuilding has
// begun and was cut short.
func (s *state) diagnose(pos position, now time.Time) remedy {
	gone := pos.empty || pos.unfinished || pos.created.IsZero()
	watched := now.Sub(s.lead.answered) < ableFor
	switch {
	case !gone && pos.created.Equal(s.created):
		return await
	case s.leads() && (gone || watched):
		return rebuild
	case !gone && (!watched || s.anotherEpoch(now)):
		return adopt
	}
	// JetStream answers, so that this node can lead, and mend the bucket.
	s.lead.answered = now
	return abide
}

// anotherEpoch tells whether the leader has left this node's epoch behind.
func (s *state) anotherEpoch(now time.Time) bool {
	for _, p := range s.others(now) {
		if p.Leads && p.Epoch != s.model.epoch {
			return true
		}
	}
	return false
}

// compare waits until the model is as far as the bucket was. If it does not
// even move, messages were lost, and the bucket is read again.
func (n *Node) compare(ctx context.Context, pos position) {
	var before uint64
	if n.ask(ctx, func(s *state) { before = s.model.seq }) != nil {
		return
	}
	asked, cancel := context.WithTimeout(ctx, bucketAnswersIn)
	defer cancel()
	reached := n.applied(asked, pos.last) == nil
	_ = n.ask(ctx, func(s *state) {
		switch {
		case reached:
			s.lead.answered = time.Now()
		case s.model.seq == before:
			s.node.log.Warn("the bucket is ahead, reading it again", "have", before, "bucket", pos.last)
			s.reload(ctx)
		}
	})
}

// answered notes that something new came from the bucket. It says little to a
// node that was away, as it may be long behind.
func (s *state) answered(now time.Time) {
	if now.Sub(s.lead.answered) < ableFor {
		s.lead.answered = now
	}
}

// rebuild makes the bucket anew from memory, under a new epoch, after it was
// deleted by hand: living instances and flags stay what they were. Writes that
// are on their way to the old one will not be answered, and ours queue behind.
func (n *Node) rebuild(ctx context.Context) {
	var previous string
	var mandate context.Context
	err := n.ask(ctx, func(s *state) { previous, mandate = s.model.epoch, s.lead.mandate })
	if err != nil || mandate == nil {
		return
	}
	ctx, cancel := context.WithTimeout(mandate, time.Minute)
	defer cancel()
	n.log.Error("the registry's bucket was deleted, rebuilding it from memory under a new epoch")
	n.store.writer.lost.strike(errBucketGone)
	if err := n.restore(ctx); err != nil {
		n.log.Error("rebuilding failed, trying again", "error", err)
		return
	}
	_ = n.ask(ctx, func(s *state) { n.events.announceRebuilt(s.model, previous) })
}

var errBucketGone = errors.New("the bucket was deleted")

// restore writes everything to a new bucket, and its id last: until then no
// node takes it for the truth, whatever ends this one or its mandate. What people
// have set comes first: if the only node that knows it is killed meanwhile, living
// instances register again by themselves, but nobody says again that one is disabled.
func (n *Node) restore(ctx context.Context) error {
	var set, registered map[string][]byte
	if err := n.ask(ctx, func(s *state) { set, registered = s.model.values() }); err != nil {
		return err
	}
	if err := provision.Ensure(ctx, n.store.js, n.opts.Provision); err != nil {
		return err
	}
	for _, values := range []map[string][]byte{set, registered} {
		if err := n.putAll(ctx, values); err != nil {
			return err
		}
	}
	if err := n.store.ensureOwn(ctx); err != nil {
		return err
	}
	return n.reinstall(ctx)
}

func (n *Node) putAll(ctx context.Context, values map[string][]byte) error {
	for key, value := range values {
		if _, err := n.store.put(ctx, key, value, 0, causeRebuilt); err != nil && !errors.Is(err, errMoved) {
			return fmt.Errorf("restore %s: %w", key, err)
		}
	}
	return nil
}

// reinstall replaces the model with what the bucket says now. The goroutine
// that owns the state waits meanwhile: nothing sensible can be said before.
func (n *Node) reinstall(ctx context.Context) error {
	fresh, missed, pos, err := n.reread(ctx, 0, "")
	if err != nil {
		return err
	}
	return n.ask(ctx, func(s *state) { s.install(ctx, fresh, missed, pos, nil) })
}

// values returns the good values of the bucket, by key: what people have set,
// and the registrations.
func (m *model) values() (set, registered map[string][]byte) {
	set, registered = map[string][]byte{}, map[string][]byte{}
	for k, s := range m.slots {
		for a := range aspects {
			into := set
			if a == aspectRecord {
				into = registered
			}
			if v := s.encode(a); v != nil {
				into[bucketKey(k, a)] = v
			}
		}
	}
	for k, s := range m.services {
		if s.meta != nil {
			set[metaKey(k)] = encodeOverride(s.meta)
		}
	}
	return set, registered
}
