package smartservice

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"fairlead.dev/registry"
)

// An endpoint is where others reach the service.
type endpoint struct {
	host string
	port int
}

// advertised decides on the endpoint: what was asked for, else the address
// listened on, else, for a listener on all addresses, the machine's first
// address that is not loopback.
func advertised(asked string, listen netip.AddrPort, machine []netip.Addr) (endpoint, error) {
	own := endpoint{port: int(listen.Port())}
	switch {
	case asked != "":
		return parseEndpoint(asked, own.port)
	case !listen.Addr().IsUnspecified():
		own.host = listen.Addr().Unmap().String()
	default:
		own.host = firstReachable(machine).String()
	}
	return own, nil
}

func parseEndpoint(asked string, port int) (endpoint, error) {
	host, given, err := net.SplitHostPort(asked)
	if err != nil {
		return endpoint{host: strings.Trim(asked, "[]"), port: port}, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 || n > 65535 {
		return endpoint{}, fmt.Errorf("advertise: port must be between 1 and 65535, got %q", given)
	}
	return endpoint{host: host, port: n}, nil
}

// firstReachable prefers IPv4, which every caller can dial, to IPv6.
func firstReachable(machine []netip.Addr) netip.Addr {
	best := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, addr := range machine {
		addr = addr.Unmap()
		switch {
		case addr.IsLoopback() || registry.AllowedAddress(addr) != nil:
		case addr.Is4():
			return addr
		case best.IsLoopback():
			best = addr
		}
	}
	return best
}

// machineAddresses lists this machine's addresses; a machine that cannot tell
// them has none.
func machineAddresses() []netip.Addr {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addrs []netip.Addr
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, prefix.Addr())
		}
	}
	return addrs
}
