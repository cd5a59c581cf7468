package haproxy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// has makes a model of two slots: entries like "identity s0", servers like
// "s0/a ready 10".
func has(t *testing.T, lines ...string) *model {
	t.Helper()
	m := newModel(2)
	for _, line := range lines {
		fields := strings.Fields(line)
		slot, name, isServer := strings.Cut(fields[0], "/")
		if !isServer {
			m.entries[fields[0]] = fields[1]
			continue
		}
		s := running{mode: mode(fields[1]), weight: 10}
		if len(fields) > 2 {
			s.weight = 20
		}
		m.put(slot, name, s)
	}
	return m
}

var somewhere = netip.MustParseAddrPort("10.0.0.7:5000")

func wants(service string, servers ...string) *farm {
	f := &farm{service: service}
	for _, s := range servers {
		name, m, _ := strings.Cut(s, " ")
		f.servers = append(f.servers, server{name: name, addr: somewhere, weight: 10, mode: mode(m)})
	}
	return f
}

func TestPlan(t *testing.T) {
	seen := "* -"
	for _, c := range []struct {
		name string
		want []*farm
		have *model
		plan []string
	}{
		{"nothing to do", []*farm{wants("identity", "a ready")}, has(t, seen, "identity s0", "s0/a ready"), nil},
		{"the first table", nil, has(t), []string{"add map services.map * -"}},
		{"a new service", []*farm{wants("identity", "a ready", "b maint")}, has(t, seen), []string{
			"add server s0/a 10.0.0.7:5000 weight 10", "add server s0/b 10.0.0.7:5000 weight 10",
			"set server s0/a state ready", "add map services.map identity s0",
		}},
		{"a new service keeps off another's leftovers", []*farm{wants("orders", "c ready")}, has(t, seen, "s0/a maint"), []string{
			"add server s1/c 10.0.0.7:5000 weight 10", "set server s1/c state ready", "add map services.map orders s1",
		}},
		{"one comes before one goes", []*farm{wants("identity", "b ready")}, has(t, seen, "identity s0", "s0/a ready"), []string{
			"add server s0/b 10.0.0.7:5000 weight 10", "set server s0/b state ready", "set server s0/a state maint",
		}},
		{"the last one is switched off", []*farm{wants("identity", "a maint")}, has(t, seen, "identity s0", "s0/a ready"), []string{
			"set map services.map identity n0", "set server s0/a state maint",
		}},
		{"and on again", []*farm{wants("identity", "a ready")}, has(t, seen, "identity n0", "s0/a maint"), []string{
			"set server s0/a state ready", "set map services.map identity s0",
		}},
		{"draining", []*farm{wants("identity", "a drain", "b ready")}, has(t, seen, "identity s0", "s0/a ready", "s0/b ready"), []string{
			"set server s0/a state drain",
		}},
		{"a weight", []*farm{wants("identity", "a ready")}, has(t, seen, "identity s0", "s0/a ready heavier"), []string{
			"set server s0/a weight 10",
		}},
		{"a service leaves", nil, has(t, seen, "identity s0", "s0/a ready"), []string{
			"set server s0/a state maint", "del map services.map identity",
		}},
		{"somebody wrote into the map", []*farm{wants("identity", "a ready")}, has(t, seen, "identity s7", "other s0", "s0/a ready"), []string{
			"add server s1/a 10.0.0.7:5000 weight 10", "set server s1/a state ready", "set map services.map identity s1",
			"set server s0/a state maint", "del map services.map other",
		}},
		{"two services in one slot", []*farm{wants("identity", "a ready"), wants("orders", "b ready")}, has(t, seen, "identity s0", "orders s0", "s0/a ready"), []string{
			"add server s1/b 10.0.0.7:5000 weight 10", "set server s1/b state ready", "set map services.map orders s1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			commands, err := plan(c.want, c.have, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]string, 0, len(commands))
			for _, command := range commands {
				got = append(got, command.String())
				c.have.apply(command)
			}
			if !slices.Equal(got, c.plan) {
				t.Errorf("planned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.plan, "\n"))
			}
			if again, _ := plan(c.want, c.have, nil); len(again) > 0 {
				t.Errorf("once that is done there is still %v", again)
			}
		})
	}
}

func TestPlanWithoutASlot(t *testing.T) {
	farms := []*farm{wants("a", "x ready"), wants("b", "x ready"), wants("c", "x ready")}
	if _, err := plan(farms, has(t), nil); !errors.Is(err, errNoSlot) {
		t.Errorf("got %v", err)
	}
}

func TestSlotIn(t *testing.T) {
	for entry, want := range map[string]string{"s0": "s0", "n1": "s1", "a1": "s1", "s2": "", "s01": "", "s+1": "", "s-1": "", "": "", "-": "", "x0": "", "s": ""} {
		if got := slotIn(entry, 2); got != want {
			t.Errorf("%q is slot %q, want %q", entry, got, want)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct{ weight, largest, want int }{{100, 100, 100}, {256, 256, 256}, {100, 1000, 25}, {1000, 1000, 256}, {1, 1000, 1}, {0, 100, 1}} {
		if got := scale(c.weight, c.largest); got != c.want {
			t.Errorf("%d of %d is %d, want %d", c.weight, c.largest, got, c.want)
		}
	}
}
