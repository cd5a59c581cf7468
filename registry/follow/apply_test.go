package follow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestJudge(t *testing.T) {
	in := &registry.Instance{Service: "identity", ID: "a"}
	cases := []struct {
		name     string
		held     holding
		snapshot uint64
		change   registry.Change
		want     verdict
	}{
		{"the next one", holding{5, false}, 5, registry.Change{Revision: 6, Previous: 5, Instance: in}, fits},
		{"the next one, gone", holding{5, false}, 5, registry.Change{Revision: 9, Previous: 5, Gone: "a"}, fits},
		{"the next one, of a condition", holding{5, false}, 5, registry.Change{Revision: 6, Previous: 5, Condition: &registry.Condition{ID: "a"}}, fits},
		{"the first of a service", holding{0, true}, 0, registry.Change{Revision: 3, Instance: in}, fits},
		{"the first of a service after a snapshot that lacks it", holding{0, true}, 7, registry.Change{Revision: 8, Instance: in}, fits},
		{"known already", holding{5, false}, 0, registry.Change{Revision: 5, Previous: 4, Instance: in}, old},
		{"part of the snapshot", holding{5, false}, 8, registry.Change{Revision: 7, Previous: 5, Instance: in}, old},
		{"after one that was not told", holding{7, false}, 7, registry.Change{Revision: 9, Previous: 5, Instance: in}, fits},
		{"one was missed", holding{5, false}, 5, registry.Change{Revision: 8, Previous: 7, Instance: in}, gap},
		{"a service that is not held but has a past", holding{0, true}, 5, registry.Change{Revision: 8, Previous: 3, Instance: in}, gap},
		{"a service that lost its past", holding{5, false}, 5, registry.Change{Revision: 8, Previous: 0, Instance: in}, gap},
		{"an empty service that was forgotten", holding{5, true}, 5, registry.Change{Revision: 8, Previous: 0, Instance: in}, fits},
		{"of an empty one, the second after it was forgotten", holding{5, true}, 5, registry.Change{Revision: 9, Previous: 8, Instance: in}, gap},
		{"of another service", holding{5, false}, 5, registry.Change{Revision: 6, Previous: 5, Instance: &registry.Instance{Service: "other"}}, gap},
		{"of nothing", holding{5, false}, 5, registry.Change{Revision: 6, Previous: 5}, gap},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(c.held, c.snapshot, "identity", &c.change); got != c.want {
				t.Errorf("verdict %d, expected %d", got, c.want)
			}
		})
	}
}

// tableOf makes a table of "service@revision: id id …" lines.
func tableOf(lines ...string) *registry.Table {
	t := registry.NewTable("local", "e1")
	for _, s := range snapshotOf("e1", 0, lines...).Services {
		t = t.WithService(s.Name, s.Revision, s.Instances)
	}
	return t
}

func snapshotOf(epoch string, revision uint64, lines ...string) registry.Snapshot {
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: epoch, Sequence: revision}}
	for _, line := range lines {
		head, ids, _ := strings.Cut(line, ":")
		name, at, _ := strings.Cut(head, "@")
		service := registry.ServiceSnapshot{Name: name}
		for _, c := range at {
			service.Revision = service.Revision*10 + uint64(c-'0')
		}
		for _, id := range strings.Fields(ids) {
			service.Instances = append(service.Instances, instance(name, id))
		}
		s.Services = append(s.Services, service)
	}
	return s
}

func instance(service, id string) registry.Instance {
	return registry.Instance{Service: service, ID: id, Scheme: "http", Host: "127.0.0.1", Port: 5000, Weight: 100, Status: registry.Passing, Enabled: true}
}

// text is a table in the form that tableOf reads.
func text(t *registry.Table) []string {
	lines := []string{}
	for s := range t.Services() {
		line := s.Name + "@" + string(rune('0'+s.Revision/10)) + string(rune('0'+s.Revision%10)) + ":"
		for in := range s.All() {
			line += " " + in.ID
		}
		lines = append(lines, strings.Replace(line, "@0", "@", 1))
	}
	return lines
}

func TestMerge(t *testing.T) {
	cases := []struct {
		name     string
		in       registry.Interest
		held     []string
		snapshot []string // as of revision 50
		force    bool
		want     []string
	}{
		{"the first", registry.Interest{}, nil, []string{"a@10: x y"}, false, []string{"a@10: x y"}},
		{"it corrects", registry.Interest{}, []string{"a@10: x", "b@5: z"}, []string{"a@12: y"}, false, []string{"a@12: y"}},
		{"a change came while it was under way", registry.Interest{}, []string{"a@51: x y", "b@52:"}, []string{"a@12: y", "b@9: z"}, false, []string{"a@51: x y", "b@52:"}},
		{"a service is newer than it", registry.Interest{}, []string{"c@51: n"}, []string{"a@12: y"}, false, []string{"a@12: y", "c@51: n"}},
		{"the registry has gone back", registry.Interest{}, []string{"a@60: x y", "c@70: n"}, []string{"a@12: y"}, true, []string{"a@12: y"}},
		{"of one service", registry.Interest{Service: "a"}, []string{"a@10: x", "b@5: z"}, []string{"a@12: y"}, false, []string{"a@12: y", "b@5: z"}},
		{"of one service that is gone", registry.Interest{Service: "a"}, []string{"a@10: x", "b@5: z"}, nil, false, []string{"b@5: z"}},
		{"of another service than asked", registry.Interest{Service: "a"}, []string{"b@5: z"}, []string{"b@6: y"}, false, []string{"b@5: z"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := text(merge(tableOf(c.held...), c.in, snapshotOf("e1", 50, c.snapshot...), c.force))
			if !slices.Equal(got, append([]string{}, c.want...)) {
				t.Errorf("got %q, expected %q", got, c.want)
			}
		})
	}
}

func TestGhostsLieOverTheTruth(t *testing.T) {
	now := time.Unix(1000, 0)
	g := ghosts{}
	draining := instance("a", "d")
	draining.Status = registry.Draining
	g.add([]registry.Instance{instance("a", "x"), instance("a", "y"), instance("b", "z"), draining}, now.Add(6*time.Second))
	g.add([]registry.Instance{instance("a", "x")}, now.Add(time.Hour)) // a ghost's time is not prolonged
	truth := tableOf("a@7: y")
	g.settle(&registry.Changes{Service: "b", Changes: []registry.Change{{Gone: "z"}}})
	g.expire(truth, now.Add(time.Second))
	got := g.over(truth)
	if want := []string{"a@7: d x y"}; !slices.Equal(text(got), want) {
		t.Errorf("got %q, expected %q", text(got), want)
	}
	for id, want := range map[string]registry.Status{"x": registry.Suspect, "y": registry.Passing, "d": registry.Draining} {
		if in, _ := got.Service("a").Instance(id); in.Status != want {
			t.Errorf("%s is %s, expected %s", id, in.Status, want)
		}
	}
	if !g.expire(truth, now.Add(6*time.Second)) || len(g) != 0 {
		t.Errorf("after their time there are still %v", g)
	}
}
