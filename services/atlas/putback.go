package atlas

import (
	"context"
	"errors"
)

// strikesMost is how many bad values in a row a key may get before the good one
// is put back. The bucket keeps five values of a key: one more than a few, and
// the good one is gone from it.
const strikesMost = 3

// putBack writes the last good value of a quarantined key over the bad one, so
// that it survives a restart. Whoever wrote the bad ones has an event that says
// why, and nothing else to show for it.
func (s *state) putBack(ctx context.Context, t transition) {
	value, ok := s.model.good(t)
	if !ok {
		return // a key of nothing has no good value
	}
	key, seq := t.entry.key, t.entry.seq
	s.node.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		_, err := s.node.store.set(ctx, key, value, seq, causeRestored)
		if err != nil && !errors.Is(err, errMoved) {
			s.node.log.Warn("last good value not put back", "key", key, "error", err)
			return
		}
		s.node.log.Warn("last good value put back after several bad ones", "key", key)
	})
}

// good returns the last good value of a transition's key, nil if it had none.
// It is not ok with a key that makes no sense.
func (m *model) good(t transition) (value []byte, ok bool) {
	if t.aspect == aspectMeta {
		s := m.services[t.key.ServiceKey()]
		if s.meta != nil {
			value = encodeOverride(s.meta)
		}
		return value, true
	}
	s := m.slots[t.key]
	if s == nil {
		return nil, false
	}
	return s.encode(t.aspect), true
}
