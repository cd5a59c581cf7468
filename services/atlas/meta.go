package atlas

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// A serviceSlot is what the bucket says of one service as a whole.
type serviceSlot struct {
	// meta is the last good value, nil if there is none, and revision the
	// sequence of the last entry that changed what it says.
	meta     *registry.Meta
	revision uint64
	// seq is that of the key's last message, good or not.
	seq uint64
}

// says is the zero value where nothing is said.
func (s *serviceSlot) says() registry.Meta {
	if s == nil || s.meta == nil {
		return registry.Meta{}
	}
	return *s.meta
}

// takeMeta takes an entry of a service over, or quarantines it.
func (m *model) takeMeta(t *transition) {
	k, err := parseMetaKey(t.entry.key)
	if err != nil {
		m.quarantine(t, err)
		return
	}
	t.key, t.aspect = registry.Key{Realm: k.Realm, Service: k.Service}, aspectMeta
	s := m.services[k]
	if s == nil {
		s = &serviceSlot{}
		m.services[k] = s
	}
	s.seq = t.entry.seq
	before := s.says().Hash(k.Service)
	if err := replace(&s.meta, t.entry, pointer(registry.DecodeMeta)); err != nil {
		m.quarantine(t, err)
	} else {
		m.release(t)
	}
	if after := s.says(); after.Hash(k.Service) != before {
		t.metaAfter, s.revision = &after, t.entry.seq
	}
	if m.loading != nil {
		m.loading.note(t)
		return
	}
	m.enter(t)
}

// describedServices are those of which something is known, with no instances
// yet.
func (m *model) describedServices() map[registry.ServiceKey][]registry.Instance {
	all := map[registry.ServiceKey][]registry.Instance{}
	for k, s := range m.services {
		if meta := s.says(); !meta.IsZero() {
			all[k] = nil
		}
	}
	return all
}

// snapshot is a service as a replay found it.
func (m *model) snapshot(k registry.ServiceKey, revision uint64, instances []registry.Instance) registry.ServiceSnapshot {
	s := registry.ServiceSnapshot{Name: k.Service, Revision: revision, Instances: instances}
	if slot := m.services[k]; slot != nil {
		s.Meta, s.MetaRevision = slot.says(), slot.revision
	}
	return s
}

func (n *Node) handleMeta(ctx context.Context, r request) (any, error) {
	var m protocol.MetaRequest
	if err := decodeOverride(r.data, "meta", &m); err != nil {
		return nil, err
	}
	if m.Meta != nil {
		if err := m.Meta.Validate(); err != nil {
			return nil, err
		}
	}
	rev, err := n.describe(ctx, r.key.ServiceKey(), m)
	return protocol.RevisionReply{Revision: rev}, err
}

// describe sets or takes away what is known of a service. Where there was
// nothing to take away the revision's sequence is zero.
func (n *Node) describe(ctx context.Context, k registry.ServiceKey, m protocol.MetaRequest) (registry.Revision, error) {
	var rev registry.Revision
	var value []byte
	if m.Meta != nil {
		value = encodeOverride(m.Meta)
	}
	err := n.settle(ctx, metaKey(k), func(ctx context.Context) (uint64, error) {
		st, err := n.serviceStanding(ctx, k)
		if err != nil {
			return 0, err
		}
		if err := st.meta.CheckExpected(m.Expect, st.revision); err != nil {
			return 0, n.confirmed(ctx, metaKey(k), st.seq, fmt.Errorf("%s: %w", k, err))
		}
		rev.Epoch = st.revision.Epoch
		seq, err := n.writeOverride(ctx, metaKey(k), value, st.seq)
		if value != nil || st.set {
			rev.Sequence = seq
		}
		return seq, err
	})
	return rev, err
}

// serviceStanding is what the owner knows of a service's key at one moment.
type serviceStanding struct {
	meta     registry.Meta
	revision registry.Revision
	seq      uint64
	set      bool // there is a value, be it rubbish
	doubt    error
}

func (n *Node) serviceStanding(ctx context.Context, k registry.ServiceKey) (serviceStanding, error) {
	st, err := answerOf(ctx, n, func(s *state) (st serviceStanding) {
		st.doubt = s.resumed(time.Now())
		st.revision.Epoch = s.model.epoch
		_, st.set = s.model.quarantined[metaKey(k)]
		if slot := s.model.services[k]; slot != nil {
			st.meta, st.revision.Sequence, st.seq = slot.says(), slot.revision, slot.seq
			st.set = st.set || slot.meta != nil
		}
		return st
	})
	return st, cmp.Or(err, st.doubt)
}
