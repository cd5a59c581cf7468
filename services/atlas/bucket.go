package atlas

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
)

const bucketCheckEvery = time.Second

// ensureOwn gives a bucket that is new its random id, and the secret that the
// ids of its events are made with.
func (s *store) ensureOwn(ctx context.Context) error {
	for _, key := range []string{epochKey, secretKey} {
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
// bucket that was deleted by hand.
func (n *Node) watchBucket(ctx context.Context) {
	tick := time.NewTicker(bucketCheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.checkBucket(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) checkBucket(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	pos, err := n.store.position(asked)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		n.log.Debug("bucket not checked", "error", err)
		return
	}
	// An empty bucket was purged: at the least it would have its epoch.
	lost := err != nil || pos.empty
	_ = n.ask(asked, func(s *state) {
		lost = lost || !pos.created.Equal(s.created)
		if !lost {
			s.compare(ctx, pos)
		}
	})
	if lost && ctx.Err() == nil {
		n.rebuild(ctx)
	}
}

// compare has the bucket read again when the model has not moved since the
// last check and the bucket is ahead of it.
func (s *state) compare(ctx context.Context, pos position) {
	lags := pos.last > s.model.seq
	if lags && s.behind == s.model.seq {
		s.node.log.Warn("the bucket is ahead, reading it again", "have", s.model.seq, "bucket", pos.last)
		s.reload(ctx)
	}
	s.behind = 0
	if lags {
		s.behind = s.model.seq
	}
}

// rebuild makes the bucket anew from memory, under a new epoch, after it was
// deleted by hand: living instances and flags stay what they were.
func (n *Node) rebuild(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n.log.Error("the registry's bucket was deleted, rebuilding it from memory under a new epoch")
	var previous string
	_ = n.ask(ctx, func(s *state) { previous = s.model.epoch })
	if err := n.restore(ctx); err != nil {
		n.log.Error("rebuilding failed, trying again", "error", err)
		return
	}
	_ = n.ask(ctx, func(s *state) { n.events.announceRebuilt(s.model, previous) })
}

func (n *Node) restore(ctx context.Context) error {
	values := map[string][]byte{}
	if err := n.ask(ctx, func(s *state) { values = s.model.values() }); err != nil {
		return err
	}
	if err := provision.Ensure(ctx, n.store.js, n.opts.Provision); err != nil {
		return err
	}
	if err := n.store.ensureOwn(ctx); err != nil {
		return err
	}
	for key, value := range values {
		if _, err := n.store.put(ctx, key, value, 0, causeRebuilt); err != nil && !errors.Is(err, errMoved) {
			return fmt.Errorf("restore %s: %w", key, err)
		}
	}
	return n.reinstall(ctx)
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

// values returns the good values of the bucket, by key.
func (m *model) values() map[string][]byte {
	values := map[string][]byte{}
	for k, s := range m.slots {
		for a := range aspects {
			if v := s.encode(a); v != nil {
				values[bucketKey(k, a)] = v
			}
		}
	}
	for k, s := range m.services {
		if s.meta != nil {
			values[metaKey(k)] = encodeOverride(s.meta)
		}
	}
	return values
}
