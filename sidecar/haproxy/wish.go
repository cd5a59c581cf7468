package haproxy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"fairlead.dev/registry"
)

// secure is the scheme of instances that HAProxy is not given: it would know
// neither names nor addresses in certificates as the built-in plane does.
const secure = "https"

// lookup returns the address of an instance's host.
type lookup func(host string) (netip.Addr, bool)

// farmOf says what HAProxy should have of a service. Whatever could mean
// something else to HAProxy than it says is left out: names are checked here
// again, whoever checked them before.
func farmOf(s *registry.Service, zone string, find lookup) (f *farm, left []string) {
	f = &farm{service: s.Name}
	candidates := candidatesOf(s)
	weightOf := weigh(s, zone, candidates)
	for in := range s.All() {
		if in.Scheme == secure {
			f.aside = true
			continue
		}
		addr, ok := addressOf(&in, find)
		if !ok {
			left = append(left, in.ID)
			continue
		}
		f.servers = append(f.servers, server{
			name: serverName(in.ID, addr), addr: addr,
			weight: weightOf(&in), mode: modeOf(&in, candidates[in.ID]),
		})
	}
	slices.SortFunc(f.servers, func(a, b server) int { return cmp.Compare(a.name, b.name) })
	return f, left
}

// weigh returns what weighs the instances of a service. Where a zone has
// candidates, those weigh as much as can be, and all elsewhere as little: 1. So
// hardly a request leaves the zone, and one that found a lone instance there
// dead is repeated elsewhere.
func weigh(s *registry.Service, zone string, candidates map[string]bool) func(*registry.Instance) int {
	largest, largestNear := 0, 0
	for in := range s.All() {
		largest = max(largest, in.Weight)
		if zone != "" && in.Zone == zone && candidates[in.ID] {
			largestNear = max(largestNear, in.Weight)
		}
	}
	return func(in *registry.Instance) int {
		switch {
		case largestNear == 0:
			return scale(in.Weight, largest)
		case in.Zone != zone:
			return 1
		}
		return min(max(in.Weight*maxWeight/largestNear, 1), maxWeight)
	}
}

func candidatesOf(s *registry.Service) map[string]bool {
	list, _ := s.Candidates()
	set := make(map[string]bool, len(list))
	for i := range list {
		set[list[i].ID] = true
	}
	return set
}

// addressOf returns where an instance is to be reached.
func addressOf(in *registry.Instance, find lookup) (netip.AddrPort, bool) {
	if registry.ValidateName("instance", in.ID) != nil || in.Port < 1 || in.Port > 65535 {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddr(in.Host)
	if err != nil {
		var known bool
		if addr, known = find(in.Host); !known {
			return netip.AddrPort{}, false
		}
	}
	addr = addr.Unmap()
	if addr.Zone() != "" || registry.AllowedAddress(addr) != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, uint16(in.Port)), true
}

// wishes are the farms of a table. Those of services that did not change are
// kept: tables share what they have in common.
type wishes struct {
	zone   string
	shaped map[string]shaped
}

type shaped struct {
	from *registry.Service
	farm *farm
	// secure tells of instances that have the farm go aside.
	secure bool
	left   []string
}

// of returns the farms of a table, sorted by service. Those in detours go
// aside, whether the table has them or not.
func (w *wishes) of(t *registry.Table, find lookup, detours map[string]bool) []*farm {
	next := make(map[string]shaped, len(w.shaped))
	for s := range t.Services() {
		if registry.ValidateName("service", s.Name) != nil || s.Len() == 0 && len(s.Meta.Rules) == 0 {
			continue
		}
		known, ok := w.shaped[s.Name]
		if !ok || known.from != s {
			known = shaped{from: s}
			known.farm, known.left = farmOf(s, w.zone, find)
			known.secure = known.farm.aside
		}
		next[s.Name] = known
	}
	w.shaped = next
	return w.withStrangers(w.farms(t, detours), detours)
}

// farms returns those that have a server or go aside.
func (w *wishes) farms(t *registry.Table, detours map[string]bool) (farms []*farm) {
	aside := w.aside(t, detours)
	for s := range t.Services() {
		known, ok := w.shaped[s.Name]
		if !ok {
			continue
		}
		if aside[s.Name] != known.farm.aside {
			other := *known.farm
			other.aside = aside[s.Name]
			known.farm = &other
			w.shaped[s.Name] = known
		}
		if s.Len() > 0 || known.farm.aside {
			farms = append(farms, known.farm)
		}
	}
	return farms
}

// aside returns the services that HAProxy cannot carry, and those whose rules
// lead to one that goes aside: rules are to be followed once, and by whoever
// sends the request on.
func (w *wishes) aside(t *registry.Table, detours map[string]bool) map[string]bool {
	set := make(map[string]bool, len(detours))
	maps.Copy(set, detours)
	for service, known := range w.shaped {
		if known.secure {
			set[service] = true
		}
	}
	for grows := len(set) > 0; grows; {
		grows = false
		for s := range t.Services() {
			if !set[s.Name] && leadTo(s.Meta.Rules, set) {
				set[s.Name], grows = true, true
			}
		}
	}
	return set
}

func leadTo(rules []registry.Rule, services map[string]bool) bool {
	return slices.ContainsFunc(rules, func(r registry.Rule) bool {
		return slices.ContainsFunc(r.Split, func(share registry.Share) bool { return services[share.Service] })
	})
}

// withStrangers adds farms for detours that the table knows nothing of.
func (w *wishes) withStrangers(farms []*farm, detours map[string]bool) []*farm {
	for service := range detours {
		if _, known := w.shaped[service]; !known {
			farms = append(farms, &farm{service: service, aside: true})
		}
	}
	if len(detours) > 0 {
		slices.SortFunc(farms, func(a, b *farm) int { return cmp.Compare(a.service, b.service) })
	}
	return farms
}

// reshape has every service looked at again, because what names mean has
// changed.
func (w *wishes) reshape() { w.shaped = nil }

// unfit names the instances that were left out, as service/id.
func (w *wishes) unfit() (names []string) {
	for service, s := range w.shaped {
		for _, id := range s.left {
			names = append(names, service+"/"+id)
		}
	}
	slices.Sort(names)
	return names
}

// hostsOf returns the hosts of a table's instances.
func hostsOf(t *registry.Table) map[string]bool {
	hosts := map[string]bool{}
	for s := range t.Services() {
		for in := range s.All() {
			hosts[in.Host] = true
		}
	}
	return hosts
}
