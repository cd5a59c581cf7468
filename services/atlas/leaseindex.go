package atlas

import (
	"sync"

	"fairlead.dev/registry"
)

// A leaseIndex finds leases by their keys. Only the owner of the state changes
// it, and so may read of without the lock; heartbeats look leases up from
// goroutines of their own.
type leaseIndex struct {
	mu sync.RWMutex
	of map[registry.Key]*lease
}

func newLeaseIndex() *leaseIndex { return &leaseIndex{of: map[registry.Key]*lease{}} }

func (x *leaseIndex) find(k registry.Key) *lease {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.of[k]
}

// findIn is find for names that are still bytes. It allocates nothing.
func (x *leaseIndex) findIn(realm string, service, instance []byte) *lease {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.of[registry.Key{Realm: realm, Service: string(service), Instance: string(instance)}]
}

func (x *leaseIndex) put(l *lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.of[l.key] = l
}

func (x *leaseIndex) remove(k registry.Key) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.of, k)
}
