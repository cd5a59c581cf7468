package atlas

import (
	"sync"
)

// memoMost bounds what a memo remembers.
const memoMost = 8192

// A memo remembers what texts that come again and again mean. When it is full
// it begins anew. The zero value is ready; it may be used concurrently.
type memo[T any] struct {
	mu    sync.RWMutex
	known map[string]T
}

// of returns what a text means, asking read for those not known yet. Failures
// are not remembered.
func (m *memo[T]) of(text string, read func(string) (T, error)) (T, error) {
	m.mu.RLock()
	v, ok := m.known[text]
	m.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := read(text)
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= memoMost {
		m.known = map[string]T{}
	}
	m.known[text] = v
	return v, nil
}
