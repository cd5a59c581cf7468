package atlas

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// readsAtOnce bounds the reads that are packed together.
const readsAtOnce = 64

// serveReads registers the endpoints that change nothing.
func (n *Node) serveReads(ctx context.Context, service micro.Service) error {
	room := semaphore.NewWeighted(readsAtOnce)
	read := func(answer func(micro.Request)) micro.HandlerFunc {
		return func(m micro.Request) {
			if room.Acquire(ctx, 1) != nil {
				return
			}
			n.work.Go(func() {
				defer room.Release(1)
				answer(m)
			})
		}
	}
	snapshot := read(func(m micro.Request) { n.sendSnapshot(ctx, m) })
	for name, pattern := range map[string]string{
		"snapshot-realm":   protocol.SnapshotPatternRealm,
		"snapshot-service": protocol.SnapshotPatternService,
	} {
		if err := service.AddEndpoint(name, snapshot, micro.WithEndpointSubject(pattern)); err != nil {
			return fmt.Errorf("serve %s: %w", name, err)
		}
	}
	status := read(func(m micro.Request) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		s, err := n.statusFor(ctx, m)
		n.respond(m, s, err)
	})
	if err := service.AddEndpoint("status", status, micro.WithEndpointSubject(protocol.StatusPattern)); err != nil {
		return fmt.Errorf("serve status: %w", err)
	}
	explain := read(func(m micro.Request) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		facts, err := n.explain(ctx, m)
		n.respond(m, facts, err)
	})
	if err := service.AddEndpoint(protocol.Explain, explain, micro.WithEndpointSubject(protocol.Pattern(protocol.Explain))); err != nil {
		return fmt.Errorf("serve explain: %w", err)
	}
	settings := read(func(m micro.Request) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		all, err := n.settings(ctx, m)
		n.respond(m, all, err)
	})
	if err := service.AddEndpoint(protocol.ReadSettings, settings, micro.WithEndpointSubject(protocol.Pattern(protocol.ReadSettings))); err != nil {
		return fmt.Errorf("serve settings: %w", err)
	}
	return nil
}

// statusFor tells how the registry stands, and of realms no other than the one
// that the subject names, because a program may be allowed to know of one only.
func (n *Node) statusFor(ctx context.Context, m micro.Request) (protocol.StatusReply, error) {
	if _, err := n.requesterOf(m); err != nil {
		return protocol.StatusReply{}, err
	}
	in, ok := protocol.InterestOf(m.Subject())
	if !ok {
		return protocol.StatusReply{}, &registry.FieldError{Field: "subject", Problem: "must end in REALM"}
	}
	if err := checkInterest(in); err != nil {
		return protocol.StatusReply{}, err
	}
	all, err := n.Status(ctx)
	return all.Within(in.Realm), err
}

// Status tells how the registry stands. It may be called concurrently.
func (n *Node) Status(ctx context.Context) (protocol.StatusReply, error) {
	r, err := answerOf(ctx, n, func(s *state) protocol.StatusReply { return s.status(time.Now()) })
	if err != nil {
		return r, err
	}
	r.Copies = n.store.copies(ctx)
	return r, nil
}

// Table returns what this node holds of a realm. It may be called concurrently.
func (n *Node) Table(ctx context.Context, realm string) (*registry.Table, error) {
	return answerOf(ctx, n, func(s *state) *registry.Table { return s.model.table(realm) })
}

func (s *state) status(now time.Time) protocol.StatusReply {
	r := protocol.StatusReply{
		Revision:    registry.Revision{Epoch: s.model.epoch, Sequence: s.model.seq},
		Quarantined: map[string]string{},
		Realms:      map[string]protocol.RealmStatus{},
		Settling:    s.node.moment(now) < s.grace,
		Node:        s.lead.node,
		Nodes:       s.nodes(now),
	}
	for k, v := range s.model.quarantined {
		r.Quarantined[k] = v
	}
	for realm, t := range s.model.tables() {
		r.Realms[realm] = realmStatus(t, s.heldBack(realm, now))
	}
	waiting := s.model.waiting(now)
	for _, o := range waiting {
		realm := r.Realms[o.Realm]
		realm.Waiting++
		r.Realms[o.Realm] = realm
	}
	r.Waiting = waiting[:min(len(waiting), protocol.MostWaiting)]
	return r
}

func realmStatus(t *registry.Table, held *protocol.HeldEvictions) protocol.RealmStatus {
	r := protocol.RealmStatus{Instances: t.Len(), Statuses: map[registry.Status]int{}, Held: held}
	for s := range t.Services() {
		if s.Len() > 0 {
			r.Services++
		}
		for in := range s.All() {
			r.Statuses[in.Status]++
			if !in.Enabled {
				r.Disabled++
			}
		}
	}
	return r
}

func (n *Node) sendSnapshot(ctx context.Context, m micro.Request) {
	if !mayAnswer(m) {
		return
	}
	parts, err := n.snapshot(ctx, m)
	if err != nil {
		n.respond(m, nil, err)
		return
	}
	for _, p := range parts {
		err := n.nc.PublishMsg(&nats.Msg{Subject: m.Reply(), Header: nats.Header(p.Header), Data: p.Body})
		if err != nil {
			n.log.Debug("snapshot not sent", "subject", m.Subject(), "error", err)
			return
		}
	}
}

func (n *Node) snapshot(ctx context.Context, m micro.Request) ([]protocol.Part, error) {
	if _, err := n.requesterOf(m); err != nil {
		return nil, err
	}
	in, ok := protocol.InterestOf(m.Subject())
	if !ok {
		return nil, &registry.FieldError{Field: "subject", Problem: "must end in REALM or REALM.SERVICE"}
	}
	if err := checkInterest(in); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := n.abreast(ctx); err != nil {
		return nil, err
	}
	return n.packed.parts(in, m.Headers().Get(protocol.EncodingHeader), func() (*registry.Table, error) {
		return answerOf(ctx, n, func(s *state) *registry.Table { return s.current(in.Realm) })
	})
}

func checkInterest(in registry.Interest) error {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("realm", in.Realm))
	if in.Service != "" {
		errs.Add(registry.ValidateName("service", in.Service))
	}
	return errs.Err()
}

// current returns a realm's table as of the last entry of any realm.
func (s *state) current(realm string) *registry.Table {
	return s.model.table(realm)
}
