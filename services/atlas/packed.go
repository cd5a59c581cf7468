package atlas

import (
	"sync"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// mostPacked bounds how many packed snapshots are kept: those of services that
// are asked for one by one come and go.
const mostPacked = 10_000

// A snapshotCache keeps the last packed snapshot of each interest, so that a
// thousand clients that come back together cost one packing. The zero value is
// ready; it may be used concurrently.
type snapshotCache struct {
	mu     sync.Mutex
	packed map[registry.Interest]*packed
}

// A packed snapshot is packed by one request at a time. Those that wait for it
// share it, if it is no older than their requests.
type packed struct {
	mu      sync.Mutex
	at      registry.Revision
	service *registry.Service // as packed, of a service's snapshot
	bodies  [][]byte
}

// parts returns a snapshot that is no older than the call. latest yields the
// realm's table as of now.
func (c *snapshotCache) parts(in registry.Interest, encoding string, latest func() (*registry.Table, error)) ([]protocol.Part, error) {
	t, err := latest()
	if err != nil {
		return nil, err
	}
	if encoding != protocol.EncodingPacked {
		return protocol.EncodeJSON(t.Snapshot(in))
	}
	if !exists(t, in) {
		// It is not remembered: strangers could name any number of them.
		return protocol.PackedParts(in.Realm, t.Revision, protocol.PackServices(t.Snapshot(in).Services)), nil
	}
	p := c.of(in)
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.Service != "" {
		p.packService(t, in)
		return protocol.PackedParts(in.Realm, t.Revision, p.bodies), nil
	}
	if !p.covers(t.Revision) {
		// Others may have come while this one waited: they will find what is
		// packed now.
		if t, err = latest(); err != nil {
			return nil, err
		}
		p.at, p.bodies = t.Revision, protocol.PackServices(t.Snapshot(in).Services)
	}
	return protocol.PackedParts(in.Realm, p.at, p.bodies), nil
}

func exists(t *registry.Table, in registry.Interest) bool {
	if in.Service != "" {
		return t.Service(in.Service) != nil
	}
	return t.Len() > 0
}

func (c *snapshotCache) of(in registry.Interest) *packed {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.packed[in]
	if p != nil {
		return p
	}
	if c.packed == nil || len(c.packed) >= mostPacked {
		c.packed = map[registry.Interest]*packed{}
	}
	p = &packed{}
	c.packed[in] = p
	return p
}

// covers tells whether what is packed is as of a revision or later.
func (p *packed) covers(at registry.Revision) bool {
	return p.at.Epoch == at.Epoch && p.at.Sequence >= at.Sequence && p.bodies != nil
}

// packService packs a service, unless it is packed already: other services'
// changes leave it as it is.
func (p *packed) packService(t *registry.Table, in registry.Interest) {
	if service := t.Service(in.Service); p.bodies == nil || p.service != service {
		p.service, p.bodies = service, protocol.PackServices(t.Snapshot(in).Services)
	}
}
