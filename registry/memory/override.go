package memory

import (
	"context"
	"time"

	"fairlead.dev/registry"
)

// SetFlag implements [registry.Atlas]. A flag that ends by itself does so on
// time.
func (r *Registry) SetFlag(ctx context.Context, k registry.Key, flag *registry.Flag) (registry.Revision, error) {
	return override(ctx, r, k, flag, func(s *slot, flag *registry.Flag) (was bool) {
		was, s.record.Flag = s.record.Flag != nil, flag
		r.endFlag(s)
		return was
	})
}

// SetWeight implements [registry.Atlas].
func (r *Registry) SetWeight(ctx context.Context, k registry.Key, weight *registry.Weight) (registry.Revision, error) {
	return override(ctx, r, k, weight, func(s *slot, weight *registry.Weight) (was bool) {
		was, s.record.Weight = s.record.Weight != nil, weight
		return was
	})
}

// SetDrain implements [registry.Atlas].
func (r *Registry) SetDrain(ctx context.Context, k registry.Key, drain *registry.Drain) (registry.Revision, error) {
	return override(ctx, r, k, drain, func(s *slot, drain *registry.Drain) (was bool) {
		was, s.record.Drain = s.record.Drain != nil, drain
		return was
	})
}

// override checks and stores a copy of v, nil to take the override away; set
// tells whether there was one.
func override[T interface{ Validate() error }](ctx context.Context, r *Registry, k registry.Key, v *T, set func(*slot, *T) (was bool)) (registry.Revision, error) {
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	if v != nil {
		errs.Add((*v).Validate())
		c := *v
		v = &c
	}
	if err := errs.Err(); err != nil {
		return registry.Revision{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Revision{}, err
	}
	s := r.slot(k)
	was := set(s, v)
	revision := r.write(s)
	if v == nil && !was {
		revision.Sequence = 0
	}
	return revision, nil
}

func (r *Registry) endFlag(s *slot) {
	if s.until != nil {
		s.until.Stop()
	}
	if s.record.Flag == nil || s.record.Flag.Until.IsZero() {
		return
	}
	s.until = time.AfterFunc(time.Until(s.record.Flag.Until), func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.slots[s.record.Key] == s {
			r.write(s)
		}
	})
}
