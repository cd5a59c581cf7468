package clients

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"fairlead.dev/registry"
)

// Service is the name under which every client finds the fleet.
const Service = "identity"

// A Fleet is the instances of one service, as a registry knows them: each
// client follows it in its own way.
type Fleet struct {
	table atomic.Pointer[registry.Table]
	list  atomic.Pointer[[]string] // its addresses
	next  atomic.Uint64            // of the round robin

	mu      sync.Mutex
	made    int
	changed chan struct{}
}

// NewFleet returns a fleet with these instances.
func NewFleet(addrs ...string) *Fleet {
	f := &Fleet{changed: make(chan struct{})}
	f.table.Store(registry.NewTable("bench", "e1"))
	f.Add(addrs...)
	return f
}

// Add lists instances.
func (f *Fleet) Add(addrs ...string) {
	f.change(func(list []registry.Instance) []registry.Instance {
		for _, addr := range addrs {
			f.made++
			list = append(list, instanceAt(addr, f.made))
		}
		return list
	})
}

// Remove takes an instance off the list.
func (f *Fleet) Remove(addr string) {
	f.change(func(list []registry.Instance) []registry.Instance {
		return slices.DeleteFunc(list, func(in registry.Instance) bool { return in.Addr() == addr })
	})
}

func (f *Fleet) change(edit func([]registry.Instance) []registry.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.table.Load()
	revision := old.Revision.Sequence + 1
	next := old.WithService(Service, revision, edit(old.Service(Service).Instances()))
	f.table.Store(next.At(registry.Revision{Epoch: "e1", Sequence: revision}))
	var all []string
	for in := range next.Service(Service).All() {
		all = append(all, in.Addr())
	}
	f.list.Store(&all)
	close(f.changed)
	f.changed = make(chan struct{})
}

func instanceAt(addr string, n int) registry.Instance {
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	id := "host-" + strconv.Itoa(n)
	return registry.Instance{
		Service: Service, ID: id, Incarnation: id, Scheme: "http", Host: host, Port: number,
		Weight: 100, Status: registry.Passing, Enabled: true,
	}
}

// Resolve implements [registry.Resolver].
func (f *Fleet) Resolve(_ context.Context, service string) (*registry.Service, error) {
	if s := f.table.Load().Service(service); s != nil {
		return s, nil
	}
	return nil, registry.ErrNoSuchService
}

// addrs returns the instances' addresses, and a channel that is closed when
// they change.
func (f *Fleet) addrs() ([]string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.list.Load(), f.changed
}
