package haproxy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

func TestDescriptionsAreRead(t *testing.T) {
	s := structure{
		realm: "local", doors: []Door{{Network: "tcp", Address: "127.0.0.1:4000"}}, slots: 64,
		rules: []ruled{{"identity", []registry.Rule{{PathPrefix: "/a"}}}, {"orders", nil}},
	}
	d, ok := readDescription(s.description())
	if !ok || d.realm != "local" || d.doors != "127.0.0.1:4000" || d.slots != 64 || d.rest != s.rest() || len(d.stale(s.rules)) > 0 {
		t.Errorf("%s was read as %+v", s.description(), d)
	}
	other := []ruled{{"identity", []registry.Rule{{PathPrefix: "/b"}}}, {"next", nil}}
	if got := slices.Sorted(maps.Keys(d.stale(other))); !slices.Equal(got, []string{"identity", "next", "orders"}) {
		t.Errorf("stale are %v", got)
	}
	for text, want := range map[string]bool{
		"": false, "my own": false, "fairlead addr=127.0.0.1:4000 slots=64 structure=0f": true,
		"fairlead addr=127.0.0.1:4000 slots=2000000000 structure=0f":                     false,
		"fairlead realm=local data=%zz addr=127.0.0.1:4000 slots=64 structure=0f rules=": false,
		"fairlead realm=local addr=127.0.0.1:4000 slots=64 structure=0f rules=":          true, "fairlead addr=127.0.0.1:4000 slots=x structure=0f": false,
	} {
		if _, ok := readDescription(text); ok != want {
			t.Errorf("%q: %t", text, ok)
		}
	}
	if d, _ := readDescription("fairlead addr=: slots=1 structure=0f rules=*:0;a b:1;ok:2"); len(d.rules) > 0 {
		t.Errorf("rules are read as %v", d.rules)
	}
}

// TestDescriptionTellsTheFolder: any path makes one word, and is read again.
func TestDescriptionTellsTheFolder(t *testing.T) {
	for _, folder := range []string{"", "/var/lib/fairlead", "/a b/ä;c%20'\"$x#\n"} {
		s := structure{realm: "local", doors: []Door{{Network: "tcp", Address: "127.0.0.1:4000"}}, slots: 64, at: place{folder: folder}}
		text := s.description()
		if d, ok := readDescription(text); !ok || d.folder != folder || strings.ContainsAny(text, "'\"#\\\n") {
			t.Errorf("%q was read as %+v, %t", text, d, ok)
		}
	}
}

// TestFarmsWithoutASlot: those that go aside need none, and take none from others.
func TestFarmsWithoutASlot(t *testing.T) {
	aside := &farm{service: "a", aside: true}
	farms := []*farm{aside, wants("b", "x ready"), wants("c", "x ready"), {service: "d", aside: true, servers: []server{{name: "x", addr: somewhere, weight: 10, mode: ready}}}}
	have := has(t)
	commands, err := plan(farms, have, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		have.apply(c)
	}
	if want := map[string]string{"*": "-", "a": "a", "b": "s0", "c": "s1", "d": "a"}; !maps.Equal(have.entries, want) {
		t.Errorf("entries are %v", have.entries)
	}
	if again, err := plan(farms, have, nil); len(again) > 0 || err != nil {
		t.Errorf("there is still %v, %v", again, err)
	}
	if _, left := assigned(farms, have); len(left) != 2 {
		t.Errorf("left are %d", len(left))
	}
}

// TestDetours: whose rules lead to one goes aside too, and so on.
func TestDetours(t *testing.T) {
	to := func(service string) registry.Meta {
		return registry.Meta{Rules: []registry.Rule{{Split: []registry.Share{{Service: service, Weight: 1}}}}}
	}
	table := registry.NewTable("local", "e").WithMeta("first", to("second"), 1).WithMeta("second", to("third"), 2)
	for i, service := range []string{"third", "other"} {
		table = table.WithInstance(registry.Instance{Service: service, ID: "i", Scheme: "http", Host: "10.0.0.7", Port: 80, Weight: 100, Enabled: true, Status: registry.Passing, Revision: uint64(3 + i)})
	}
	nobody := func(string) (addr netip.Addr, ok bool) { return addr, false }
	var w wishes
	aside := func(detours map[string]bool) (names []string) {
		for _, f := range w.of(table, nobody, detours) {
			if f.aside {
				names = append(names, f.service)
			}
		}
		return names
	}
	if got := aside(map[string]bool{"third": true, "stranger": true}); !slices.Equal(got, []string{"first", "second", "stranger", "third"}) {
		t.Errorf("aside are %v", got)
	}
	if got := aside(nil); len(got) > 0 {
		t.Errorf("without detours aside are %v", got)
	}
}
