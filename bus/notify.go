package bus

import (
	"maps"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
)

// listeners is a set of functions that want to hear of something. The zero
// value is empty.
type listeners[T any] struct {
	mu   sync.Mutex
	next int
	fns  map[int]func(T)
}

func (l *listeners[T]) add(fn func(T)) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fns == nil {
		l.fns = make(map[int]func(T))
	}
	key := l.next
	l.next++
	l.fns[key] = fn
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.fns, key)
	}
}

// tell calls them without the lock held, so that they may add and remove.
func (l *listeners[T]) tell(what T) {
	l.mu.Lock()
	keys := slices.Sorted(maps.Keys(l.fns))
	fns := make([]func(T), 0, len(keys))
	for _, key := range keys {
		fns = append(fns, l.fns[key])
	}
	l.mu.Unlock()
	for _, fn := range fns {
		fn(what)
	}
}

// slowConsumers routes a subscription's losses to its owner.
type slowConsumers struct {
	mu    sync.Mutex
	owner map[*nats.Subscription]func()
}

func (s *slowConsumers) add(sub *nats.Subscription, fn func()) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == nil {
		s.owner = make(map[*nats.Subscription]func())
	}
	s.owner[sub] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.owner, sub)
	}
}

// tell reports whether the subscription has an owner.
func (s *slowConsumers) tell(sub *nats.Subscription) bool {
	s.mu.Lock()
	fn := s.owner[sub]
	s.mu.Unlock()
	if fn != nil {
		fn()
	}
	return fn != nil
}
