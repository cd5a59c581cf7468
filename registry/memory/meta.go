package memory

import (
	"context"
	"fmt"

	"fairlead.dev/registry"
)

// SetMeta implements [registry.Atlas].
func (r *Registry) SetMeta(ctx context.Context, k registry.ServiceKey, meta *registry.Meta, expect *registry.Revision) (registry.Revision, error) {
	next, err := checkMeta(k, meta)
	if err != nil {
		return registry.Revision{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Revision{}, err
	}
	table := r.table(k.Realm)
	held, at := metaOf(table.Service(k.Service))
	if err := held.CheckExpected(expect, registry.Revision{Epoch: r.epoch, Sequence: at}); err != nil {
		return registry.Revision{}, fmt.Errorf("%s: %w", k, err)
	}
	if meta == nil && held.IsZero() {
		return registry.Revision{Epoch: r.epoch}, nil
	}
	r.sequence++
	if next.Hash(k.Service) != held.Hash(k.Service) {
		r.describe(k, next)
	}
	return r.revision(), nil
}

// checkMeta returns a copy; nil is the metadata of which nothing is said.
func checkMeta(k registry.ServiceKey, meta *registry.Meta) (registry.Meta, error) {
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	if meta == nil {
		meta = &registry.Meta{}
	}
	errs.Add(meta.Validate())
	return *meta, errs.Err()
}

func metaOf(s *registry.Service) (registry.Meta, uint64) {
	if s == nil {
		return registry.Meta{}, 0
	}
	return s.Meta, s.MetaRevision
}

func (r *Registry) describe(k registry.ServiceKey, meta registry.Meta) {
	table := r.table(k.Realm)
	change := registry.Change{Revision: r.sequence, Previous: revisionOf(table.Service(k.Service)), Meta: &meta}
	r.tables[k.Realm] = table.WithMeta(k.Service, meta, r.sequence)
	r.publish(k, change)
}
