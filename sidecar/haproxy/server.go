package haproxy

import (
	"net/netip"
	"strconv"

	"fairlead.dev/registry"
)

// A mode is what HAProxy does with a server.
type mode string

const (
	// ready takes requests.
	ready mode = "ready"
	// drain takes no new ones, but keeps its connections.
	drain mode = "drain"
	// maint takes none.
	maint mode = "maint"
)

// maxWeight is HAProxy's.
const maxWeight = 256

// A server is one instance as HAProxy is to have it.
type server struct {
	// name identifies instance and address both, so a server never changes
	// its address.
	name   string
	addr   netip.AddrPort
	weight int
	mode   mode
}

// A farm is one service as HAProxy is to have it.
type farm struct {
	service string
	servers []server // sorted by name
	// aside tells that the sidecar carries its requests, because HAProxy cannot.
	aside bool
}

// usable tells whether the farm may be sent requests.
func (f *farm) usable() bool {
	for _, s := range f.servers {
		if s.mode == ready {
			return true
		}
	}
	return false
}

// serverName joins what is unique about a server. Ids are DNS labels, so the
// underscore ends them.
func serverName(id string, addr netip.AddrPort) string {
	return id + "_" + addr.Addr().String() + ":" + strconv.Itoa(int(addr.Port()))
}

// modeOf says what an instance's state means to HAProxy. Those that are no
// candidates but might be later are kept in maintenance, ready to be enabled.
func modeOf(in *registry.Instance, candidate bool) mode {
	switch {
	case candidate:
		return ready
	case in.Enabled && in.Status == registry.Draining:
		return drain
	}
	return maint
}

// scale returns how a service's weights become HAProxy's, which end at 256:
// as they are, unless one is larger.
func scale(weight, largest int) int {
	if largest > maxWeight {
		weight = weight * maxWeight / largest
	}
	return min(max(weight, 1), maxWeight)
}
