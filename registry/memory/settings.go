package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"fairlead.dev/registry"
)

// settings are in an epoch, and counted, apart from the registry's entries.
type settings struct {
	epoch     string
	sequence  uint64
	services  map[registry.ServiceKey]map[string]registry.Setting
	listeners map[*settingsListener]struct{}
}

type settingsListener struct {
	key registry.ServiceKey
	*teller[registry.Setting]
}

func newSettings() settings {
	return settings{
		epoch:     randomID(),
		services:  map[registry.ServiceKey]map[string]registry.Setting{},
		listeners: map[*settingsListener]struct{}{},
	}
}

var _ registry.SettingsStore = (*Registry)(nil)

// Settings implements [registry.SettingsSource].
func (r *Registry) Settings(ctx context.Context, k registry.ServiceKey) (registry.Settings, error) {
	if err := k.Validate(); err != nil {
		return registry.Settings{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Settings{}, err
	}
	all := registry.Settings{Revision: r.settings.revision(), Settings: []registry.Setting{}}
	for _, s := range r.settings.services[k] {
		all.Settings = append(all.Settings, s)
	}
	slices.SortFunc(all.Settings, func(a, b registry.Setting) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Configure implements [registry.SettingsStore].
func (r *Registry) Configure(ctx context.Context, k registry.ServiceKey, name string, value *string) (registry.Revision, error) {
	next := registry.Setting{Name: name, Gone: value == nil}
	if value != nil {
		next.Value = *value
	}
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	errs.Add(next.Validate())
	if err := errs.Err(); err != nil {
		return registry.Revision{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Revision{}, err
	}
	_, held := r.settings.services[k][name]
	switch {
	case next.Gone && !held:
		return registry.Revision{Epoch: r.settings.epoch}, nil
	case !held && len(r.settings.services[k]) >= registry.MaxSettings:
		return registry.Revision{}, &registry.FieldError{Field: "name", Problem: fmt.Sprintf("a service has at most %d settings", registry.MaxSettings)}
	}
	r.configure(k, next)
	return r.settings.revision(), nil
}

func (r *Registry) configure(k registry.ServiceKey, next registry.Setting) {
	set := &r.settings
	set.sequence++
	next.Revision = set.sequence
	if set.services[k] == nil {
		set.services[k] = map[string]registry.Setting{}
	}
	if next.Gone {
		delete(set.services[k], next.Name)
	} else {
		set.services[k][next.Name] = next
	}
	if r.dropNext {
		r.dropNext = false
		return
	}
	for l := range set.listeners {
		if l.key == k {
			l.tell(next)
		}
	}
}

// ListenSettings implements [registry.SettingsSource].
func (r *Registry) ListenSettings(k registry.ServiceKey, hear func(registry.Setting)) (stop func(), err error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &settingsListener{k, newTeller(hear)}
	r.settings.listeners[l] = struct{}{}
	return func() {
		r.mu.Lock()
		delete(r.settings.listeners, l)
		r.mu.Unlock()
		l.stop()
	}, nil
}

func (s *settings) revision() registry.Revision {
	return registry.Revision{Epoch: s.epoch, Sequence: s.sequence}
}

// forget begins an epoch with nothing in it; whoever listens goes on.
func (s *settings) forget() {
	fresh := newSettings()
	fresh.listeners = s.listeners
	*s = fresh
}
