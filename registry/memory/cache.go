package memory

import (
	"fmt"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// A Cache implements [registry.Cache] without a disk. The zero value is ready.
type Cache struct {
	mu    sync.Mutex
	saved map[registry.Interest]registry.Saved
	saves int
}

var _ registry.Cache = (*Cache)(nil)

// Load implements [registry.Cache].
func (c *Cache) Load(in registry.Interest) (registry.Saved, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.saved[in]
	if !ok {
		return registry.Saved{}, fmt.Errorf("memory cache: %w", registry.ErrNotCached)
	}
	return s, nil
}

// Save implements [registry.Cache].
func (c *Cache) Save(in registry.Interest, s registry.Saved) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saved == nil {
		c.saved = map[registry.Interest]registry.Saved{}
	}
	c.saved[in] = s
	c.saves++
	return nil
}

// Confirm implements [registry.Cache].
func (c *Cache) Confirm(in registry.Interest, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.saved[in]
	if !ok {
		return fmt.Errorf("memory cache: %w", registry.ErrNotCached)
	}
	s.Confirmed = at
	c.saved[in] = s
	return nil
}

// Saves returns how often something was saved.
func (c *Cache) Saves() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saves
}
