package haproxy

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

func TestWeightsByZone(t *testing.T) {
	in := func(id, zone string, weight int) registry.Instance {
		return registry.Instance{Service: "identity", ID: id, Host: "127.0.0.1", Port: 5000, Zone: zone, Weight: weight, Enabled: true, Status: registry.Passing}
	}
	off := func(in registry.Instance) registry.Instance { in.Enabled = false; return in }
	for name, tc := range map[string]struct {
		zone string
		all  []registry.Instance
		want map[string]int
	}{
		"no zone":              {"", []registry.Instance{in("i", "a", 100), in("j", "b", 300), in("k", "", 600)}, map[string]int{"i": 42, "j": 128, "k": 256}},
		"the own zone":         {"a", []registry.Instance{in("i", "a", 100), in("j", "a", 50), in("k", "b", 600)}, map[string]int{"i": 256, "j": 128, "k": 1}},
		"a canary there":       {"a", []registry.Instance{in("i", "a", 1000), in("j", "a", 1)}, map[string]int{"i": 256, "j": 1}},
		"nobody there":         {"c", []registry.Instance{in("i", "a", 100), in("j", "b", 50)}, map[string]int{"i": 100, "j": 50}},
		"nobody who may there": {"a", []registry.Instance{off(in("i", "a", 100)), in("j", "b", 50)}, map[string]int{"i": 100, "j": 50}},
	} {
		t.Run(name, func(t *testing.T) {
			s := registry.NewTable("local", "e").WithService("identity", 1, tc.all).Service("identity")
			f, _ := farmOf(s, tc.zone, func(string) (netip.Addr, bool) { return netip.Addr{}, false })
			got := map[string]int{}
			for _, server := range f.servers {
				id, _, _ := strings.Cut(server.name, "_")
				got[id] = server.weight
			}
			if !maps.Equal(got, tc.want) {
				t.Errorf("weights are %v, want %v", got, tc.want)
			}
		})
	}
}
