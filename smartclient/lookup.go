package smartclient

import (
	"maps"
	"sync"
	"sync/atomic"
)

// A lookup is a map for many readers and few, rare writers: reading is one
// atomic load, writing copies.
type lookup[K comparable, V any] struct {
	current atomic.Pointer[map[K]V]
	mu      sync.Mutex
}

func (l *lookup[K, V]) get(key K) (V, bool) {
	if m := l.current.Load(); m != nil {
		v, ok := (*m)[key]
		return v, ok
	}
	var zero V
	return zero, false
}

// add returns the key's value, made by build if there is none.
func (l *lookup[K, V]) add(key K, build func() V) V {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.get(key); ok {
		return v
	}
	v := build()
	next := l.copied()
	next[key] = v
	l.current.Store(&next)
	return v
}

func (l *lookup[K, V]) remove(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.get(key); !ok {
		return
	}
	next := l.copied()
	delete(next, key)
	l.current.Store(&next)
}

func (l *lookup[K, V]) copied() map[K]V {
	if m := l.current.Load(); m != nil {
		return maps.Clone(*m)
	}
	return map[K]V{}
}
