package registry

import (
	"net/netip"
	"slices"
	"strings"
)

const (
	// RealmService is the name under which a realm's own settings are kept, as
	// those of a service.
	RealmService = "atlas"
	// NetworksSetting is the setting of [RealmService] that says where a realm's
	// instances may listen, in the words of [ParseNetworks].
	NetworksSetting = "ALLOWED_NETWORKS"
)

// Networks are where the instances of a realm may listen. The zero value is
// anywhere.
type Networks struct {
	text      string
	addresses []netip.Prefix
	names     []string // ".example.org" is every name below it
}

// ParseNetworks reads a list such as "10.0.0.0/8, fd00::/8, .example.org":
// networks and addresses for hosts that are registered by address, names and
// domains for those that are registered by name. Whose DNS that is decides where
// a name leads. A network has no bits beyond its length: 10.0.0.7/8 may be meant
// for one address, and would allow sixteen million. The error is a [*FieldError] of "value".
func ParseNetworks(text string) (Networks, error) {
	n := Networks{text: text}
	for item := range strings.SplitSeq(text, ",") {
		if !n.add(strings.ToLower(strings.TrimSpace(item))) {
			return Networks{}, &FieldError{Field: "value", Problem: "must be networks such as 10.0.0.0/8 and domains such as .example.org, separated by commas, got " + quote(item)}
		}
	}
	return n, nil
}

func (n *Networks) add(item string) bool {
	if prefix, err := netip.ParsePrefix(item); err == nil {
		n.addresses = append(n.addresses, prefix)
		// One of mapped addresses would hold none: they count as those of IPv4.
		return prefix == prefix.Masked() && !prefix.Addr().Is4In6()
	}
	if addr, err := netip.ParseAddr(item); err == nil && addr.Zone() == "" {
		n.addresses = append(n.addresses, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		return true
	}
	n.names = append(n.names, item)
	return isHostName(strings.TrimPrefix(item, "."))
}

// Allow tells whether a host may be registered. The error is a [*FieldError] of
// "host".
func (n Networks) Allow(host string) error {
	if n.text == "" || n.covers(host) {
		return nil
	}
	return &FieldError{Field: "host", Problem: "must be in the realm's allowed networks, " + n.text + ", got " + quote(host)}
}

func (n Networks) covers(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return slices.ContainsFunc(n.addresses, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	return slices.ContainsFunc(n.names, func(allowed string) bool {
		return name == allowed || allowed[0] == '.' && strings.HasSuffix(name, allowed)
	})
}
