package atlas

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

const (
	// writeTimeout bounds what Atlas writes of its own accord.
	writeTimeout = 5 * time.Second
	// casTries bounds how often a write is decided anew. Every failure means
	// that somebody else's write of the same key succeeded.
	casTries = 16
)

// Causes that Atlas writes beside an entry; events tell them.
const (
	causeEvicted      = "evicted"
	causeDeregistered = "deregistered"
	causeExpired      = "expired"
	causeRebuilt      = "rebuilt"
	causeRestored     = "restored"
)

// settle tries a write until its compare-and-set holds, and waits until this
// node has applied it. A try that returns zero had nothing to write; that is
// believed once this node is sure to know the key's last word, because another
// node may have written it a moment ago.
func (n *Node) settle(ctx context.Context, key string, try func(context.Context) (uint64, error)) error {
	sure := false
	for range casTries {
		seq, err := untilTaken(ctx, try)
		nothing := seq == 0 && (err == nil || errors.Is(err, registry.ErrUnknown))
		switch {
		case errors.Is(err, errMoved), nothing && !sure:
			sure = true
			catchUp := func(ctx context.Context) (uint64, error) { return 0, n.catchUp(ctx, key) }
			if _, err := untilTaken(ctx, catchUp); err != nil {
				return err
			}
		case err != nil || seq == 0:
			return err
		default:
			return n.applied(ctx, seq)
		}
	}
	return fmt.Errorf("%w: %s is being written by too many at once", registry.ErrUnavailable, key)
}

// confirmed returns an answer that writes nothing, once it is sure that it was
// decided on the last word. A write's compare-and-set finds that out by itself;
// without one this node may be behind, and refuse, or find nothing to do, where
// another node has just told the requester otherwise.
func (n *Node) confirmed(ctx context.Context, key string, judged uint64, answer error) error {
	last, err := n.store.lastOf(ctx, key)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", registry.ErrUnavailable, err)
	case last != judged:
		return errMoved
	}
	return answer
}

// A requester is who asks, as the server says.
type requester struct {
	user   string
	server string
	client uint64
	// late is set for what a later message may have overtaken.
	late bool
}

func (r requester) connection() connID { return connID{r.server, r.client} }

func (r requester) String() string {
	return fmt.Sprintf("user %s, connection %d of %s", r.user, r.client, r.server)
}

// register creates a registration or replaces one that it may replace.
func (n *Node) register(ctx context.Context, k registry.Key, req protocol.RegisterRequest, who requester) (registry.Lease, error) {
	life := req.Life().WithDefaults()
	lease := registry.Lease{
		Incarnation: life.Incarnation, Token: life.Token,
		Every: n.opts.Terms.Every, TTL: n.opts.Terms.TTL,
	}
	key := bucketKey(k, aspectRecord)
	err := n.settle(ctx, key, func(ctx context.Context) (uint64, error) {
		st, err := n.standing(ctx, k)
		if err != nil {
			return 0, err
		}
		if err := n.mayTake(ctx, k, st, req.Registration, life); err != nil {
			return 0, n.confirmed(ctx, key, st.seqs[aspectRecord], err)
		}
		r := newRecord(req, lease, who, time.Now())
		encoded := r.encode()
		n.echoes.expect(key, r, encoded)
		defer n.echoes.forget(key)
		seq, err := n.store.put(ctx, key, encoded, st.seqs[aspectRecord], "")
		lease.Revision = registry.Revision{Epoch: st.epoch, Sequence: seq}
		return seq, err
	})
	return lease, err
}

func newRecord(req protocol.RegisterRequest, l registry.Lease, who requester, now time.Time) *record {
	r := &record{Registration: req.Registration, Atlas: atlasPart{
		Status: registry.Passing, Incarnation: l.Incarnation, TokenHash: hashToken(l.Token),
		RegisteredBy: who.String(), RegisteredAt: now.UTC().Round(0), Via: req.Via,
	}}
	if len(r.Metadata) == 0 {
		r.Metadata = nil // as it is read back
	}
	if req.Via == "" {
		r.Atlas.Server, r.Atlas.Client = who.server, who.client
	}
	return r
}

// mayTake refuses a second program under the id of one that lives, at another
// endpoint. Who knows the lease's token may move: incarnations are public,
// tokens are not.
func (n *Node) mayTake(ctx context.Context, k registry.Key, st standing, r registry.Registration, life registry.Life) error {
	old := st.record
	if old == nil || old.SameEndpoint(r) || old.speaksFor(k, life.Incarnation, life.Token) == nil {
		return nil
	}
	found, _ := n.registering.probe(ctx, k, old)
	why := st.keeps(found)
	if why == "" {
		return nil
	}
	return fmt.Errorf("%w: %s is held by %s, %s; %s was not registered",
		registry.ErrConflict, k, old.Endpoint(), why, r.Endpoint())
}

// keeps tells why an instance keeps its id from another, by its lease and by
// what a probe of it found; empty if it does not. One that says who it is
// lives, even if this node has not heard of it for longer than a lease. Silence
// proves as little here as for an eviction: while the lease holds, only a
// refused connection or another identity gives the id away.
func (st standing) keeps(found outcome) string {
	switch {
	case found == itself, found.lives() && st.held:
		return "which answers"
	case found == silent && st.spared != "":
		return "whose eviction is held back: " + st.spared
	case found == silent && st.held:
		return "which is silent, but whose lease is not over"
	}
	return ""
}

// heartbeat keeps a lease. A changed status is written before the answer, so
// that whoever drains knows when everybody has been told.
func (n *Node) heartbeat(ctx context.Context, k registry.Key, m protocol.HeartbeatMessage, who requester) error {
	change, err := n.tryBeat(ctx, k, m, who)
	if isRefusal(err) && who.client != 0 {
		// It may have registered with another node a moment ago.
		if err := n.catchUp(ctx, bucketKey(k, aspectRecord)); err != nil {
			return err
		}
		change, err = n.tryBeat(ctx, k, m, who)
	}
	if err != nil || change == nil {
		return err
	}
	return n.revise(ctx, k, m.Incarnation, change)
}

func isRefusal(err error) bool {
	return errors.Is(err, registry.ErrUnknown) || errors.Is(err, registry.ErrStale)
}

// tryBeat has the owner take a heartbeat in. Only the leader goes on from there.
func (n *Node) tryBeat(ctx context.Context, k registry.Key, m protocol.HeartbeatMessage, who requester) (change revision, err error) {
	asked := n.ask(ctx, func(s *state) {
		if change, err = s.beat(k, m, who, n.momentNow()); !s.leads() {
			change, err = nil, errNotLeading
		}
	})
	if asked != nil {
		return nil, asked
	}
	return change, err
}

// beat renews the lease and returns the change of the record that the
// heartbeat asks for, if any.
func (s *state) beat(k registry.Key, m protocol.HeartbeatMessage, who requester, now moment) (revision, error) {
	slot := s.model.slots[k]
	if slot == nil || slot.record == nil {
		return nil, fmt.Errorf("%s: %w", k, registry.ErrUnknown)
	}
	if err := slot.record.speaksFor(k, m.Incarnation, m.Token); err != nil {
		return nil, err
	}
	l := s.leases.of[k]
	if l == nil {
		return nil, fmt.Errorf("%s: %w", k, registry.ErrUnknown)
	}
	s.node.heard(l, m.InFlight, m.Load, now)
	if slot.record.Atlas.Via == "" && who.client != 0 {
		s.attach(l, who.connection())
	}
	if (who.client == 0 || who.late) && slot.record.Atlas.Status == registry.Draining {
		return nil, nil // leaving is for good
	}
	change := reported(m.Status)
	if !change(slot.record.clone()) {
		return nil, nil
	}
	return change, nil
}

// speaksFor checks that a message comes from the life that is registered.
func (r *record) speaksFor(k registry.Key, incarnation, token string) error {
	if r.Atlas.Incarnation != incarnation {
		return fmt.Errorf("%s: %w: incarnation %q is registered, not %q", k, registry.ErrStale, r.Atlas.Incarnation, incarnation)
	}
	if !r.knows([]byte(token)) {
		return fmt.Errorf("%s: %w: the token is not the lease's", k, registry.ErrStale)
	}
	return nil
}

// deregister ends a lease. What is not registered is gone already. So is what
// another life has taken the place of since a try that nobody answered: that
// one may have ended the lease, and its requester is not refused.
func (n *Node) deregister(ctx context.Context, k registry.Key, m protocol.DeregisterRequest) error {
	key := bucketKey(k, aspectRecord)
	unanswered := false
	return n.settle(ctx, key, func(ctx context.Context) (uint64, error) {
		st, err := n.standing(ctx, k)
		if err != nil {
			return 0, err
		}
		if st.record == nil {
			return 0, n.confirmed(ctx, key, st.seqs[aspectRecord], nil)
		}
		if err := st.record.speaksFor(k, m.Incarnation, m.Token); err != nil {
			if unanswered {
				err = nil
			}
			return 0, n.confirmed(ctx, key, st.seqs[aspectRecord], err)
		}
		seq, err := n.store.delete(ctx, key, st.seqs[aspectRecord], causeDeregistered)
		unanswered = unanswered || errors.Is(err, registry.ErrUnavailable)
		return seq, err
	})
}

// override sets or, with a nil value, takes away what an operator says. Where
// there is nothing to take away the revision's sequence is zero.
func (n *Node) override(ctx context.Context, k registry.Key, a aspect, value []byte) (registry.Revision, error) {
	key := bucketKey(k, a)
	var rev registry.Revision
	err := n.settle(ctx, key, func(ctx context.Context) (uint64, error) {
		st, err := n.standing(ctx, k)
		if err != nil {
			return 0, err
		}
		rev.Epoch = st.epoch
		seq, err := n.writeOverride(ctx, key, value, st.seqs[a])
		if value != nil || st.set[a] {
			rev.Sequence = seq
		}
		return seq, err
	})
	return rev, err
}

func (n *Node) writeOverride(ctx context.Context, key string, value []byte, last uint64) (uint64, error) {
	if value == nil && last == 0 {
		return 0, n.confirmed(ctx, key, last, nil)
	}
	return n.store.set(ctx, key, value, last, "")
}
