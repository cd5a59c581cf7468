package haproxy

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// resolveEvery is how often the addresses of hosts are asked for again.
	resolveEvery = 30 * time.Second
	// resolveFailed is how soon, if one could not be had.
	resolveFailed = 2 * time.Second
	// resolveWithin bounds one question.
	resolveWithin = 5 * time.Second
)

// A resolve is a [net.Resolver]'s LookupNetIP.
type resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)

// names are the hosts that instances have instead of addresses: HAProxy adds
// servers by address only. An address that was known stays while its name
// cannot be resolved.
type names struct {
	resolve resolve
	// changed has a value when an address has become known or another.
	changed chan struct{}
	asked   chan struct{}

	mu    sync.Mutex
	addrs map[string]netip.Addr
}

func newNames(r resolve) *names {
	if r == nil {
		r = net.DefaultResolver.LookupNetIP
	}
	return &names{resolve: r, changed: make(chan struct{}, 1), asked: make(chan struct{}, 1), addrs: map[string]netip.Addr{}}
}

// find returns the address of a host, as far as it is known. A new one is
// asked for.
func (n *names) find(host string) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr, asked := n.addrs[host]
	if !asked {
		n.addrs[host] = netip.Addr{}
		signal(n.asked)
	}
	return addr, addr.IsValid()
}

// keep forgets the hosts that no instance has any more.
func (n *names) keep(used map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.addrs, func(host string, _ netip.Addr) bool { return !used[host] })
}

// signal leaves a value in a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run resolves until ctx ends.
func (n *names) run(ctx context.Context) {
	for ctx.Err() == nil {
		next := resolveEvery
		if !n.all(ctx) {
			next = resolveFailed
		}
		timer := time.NewTimer(next)
		select {
		case <-n.asked:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// all resolves every host, and tells whether each has an address.
func (n *names) all(ctx context.Context) bool {
	n.mu.Lock()
	before := maps.Clone(n.addrs)
	n.mu.Unlock()
	complete := true
	for host, old := range before {
		addr, ok := n.one(ctx, host, old)
		complete = complete && ok
		if ok && addr != old {
			n.put(host, addr)
		}
	}
	return complete
}

func (n *names) put(host string, addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs[host] = addr
	signal(n.changed)
}

// one returns the address of a host: the one it had, if it still has that one.
func (n *names) one(ctx context.Context, host string, old netip.Addr) (netip.Addr, bool) {
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	found, err := n.resolve(ctx, "ip", host)
	if err != nil || len(found) == 0 {
		return old, false
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	if slices.Contains(found, old) {
		return old, true
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found[0], true
}
