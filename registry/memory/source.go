package memory

import (
	"context"
	"sync"

	"fairlead.dev/registry"
)

// A listener delivers updates from a goroutine of its own, however long its
// hear function takes, in the order they were published.
type listener struct {
	interest registry.Interest
	hear     func(registry.Update)

	mu     sync.Mutex
	queue  []registry.Update
	signal chan struct{}
	quit   chan struct{}
	done   chan struct{}
	once   sync.Once
}

func newListener(interest registry.Interest, hear func(registry.Update)) *listener {
	l := &listener{
		interest: interest, hear: hear,
		signal: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

func (l *listener) run() {
	defer close(l.done)
	for {
		select {
		case <-l.quit:
			return
		case <-l.signal:
		}
		for _, u := range l.take() {
			l.hear(u)
		}
	}
}

func (l *listener) take() []registry.Update {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queue
	l.queue = nil
	return queue
}

func (l *listener) tell(u registry.Update) {
	l.mu.Lock()
	l.queue = append(l.queue, u)
	l.mu.Unlock()
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

func (l *listener) stop() {
	l.once.Do(func() { close(l.quit) })
	<-l.done
}

// Listen implements [registry.Source].
func (r *Registry) Listen(interest registry.Interest, hear func(registry.Update)) (stop func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := newListener(interest, hear)
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
