package memory

import (
	"context"

	"fairlead.dev/registry"
)

// A listener hears the updates of an interest.
type listener struct {
	interest registry.Interest
	*teller[registry.Update]
}

// Listen implements [registry.Source].
func (r *Registry) Listen(interest registry.Interest, hear func(registry.Update)) (stop func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &listener{interest, newTeller(hear)}
	r.listeners[l] = struct{}{}
	return func() {
		r.mu.Lock()
		delete(r.listeners, l)
		r.mu.Unlock()
		l.stop()
	}, nil
}

// Snapshot implements [registry.Source].
func (r *Registry) Snapshot(ctx context.Context, interest registry.Interest) (registry.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Snapshot{}, err
	}
	return r.table(interest.Realm).Snapshot(interest), nil
}

// publish tells every listener of the service or its realm. The caller holds
// the lock, so changes are told in the order of their revisions.
func (r *Registry) publish(k registry.ServiceKey, change registry.Change) {
	if r.dropNext || r.away {
		r.dropNext = false
		return
	}
	for l := range r.listeners {
		if l.interest.Realm == k.Realm && (l.interest.Service == "" || l.interest.Service == k.Service) {
			l.tell(registry.Update{Changes: &registry.Changes{
				Epoch: r.epoch, Realm: k.Realm, Service: k.Service, Changes: []registry.Change{change},
			}})
		}
	}
}
