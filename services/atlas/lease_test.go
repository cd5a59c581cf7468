package atlas

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestJudgement(t *testing.T) {
	cases := []struct {
		found      outcome
		held, over verdict
	}{
		{itself, keep, keep},
		{another, evict, evict},
		{refused, evict, evict},
		{silent, suspect, evict},
		{anonymous, keep, suspect},
		{unwell, keep, suspect},
	}
	for _, c := range cases {
		if got := judge(c.found, false); got != c.held {
			t.Errorf("%s while the lease holds: %v, want %v", c.found, got, c.held)
		}
		if got := judge(c.found, true); got != c.over {
			t.Errorf("%s once the lease is over: %v, want %v", c.found, got, c.over)
		}
	}
}

func TestNextCheck(t *testing.T) {
	seen := time.Unix(1000, 0)
	l := &lease{seen: seen}
	cases := []struct{ now, want time.Duration }{
		{0, 4500 * time.Millisecond},
		{4499 * time.Millisecond, 4500 * time.Millisecond},
		{4500 * time.Millisecond, 6 * time.Second},
		{6 * time.Second, 8 * time.Second},
		{time.Hour, time.Hour + 2*time.Second},
	}
	for _, c := range cases {
		if got := nextCheck(l, DefaultTerms, seen.Add(c.now)).Sub(seen); got != c.want {
			t.Errorf("at %v: %v, want %v", c.now, got, c.want)
		}
	}
}

func TestTheWheelBringsUpWhatIsDue(t *testing.T) {
	start := time.Unix(1000, 0)
	w := newWheel(start)
	dues := map[string]time.Duration{"soon": 0, "one": time.Second, "late": 24 * time.Second, "beyond": time.Hour}
	for name, d := range dues {
		w.add(&lease{key: registry.Key{Instance: name}}, start.Add(d))
	}
	came := map[string]time.Duration{}
	for at := time.Duration(0); at <= 30*time.Second; at += 70 * time.Millisecond {
		for _, l := range w.advance(start.Add(at)) {
			came[l.key.Instance] = at
		}
	}
	for name, due := range dues {
		at, ok := came[name]
		if name == "beyond" {
			// Beyond one turn it comes round early, to be put back.
			due = wheelStep * (wheelSlots - 1)
		}
		if !ok || at < due || at > due+3*wheelStep {
			t.Errorf("%s: due %v, came %v (%v)", name, due, at, ok)
		}
	}
}

func TestTheWheelSurvivesAPause(t *testing.T) {
	start := time.Unix(1000, 0)
	w := newWheel(start)
	w.add(&lease{}, start.Add(5*time.Second))
	if got := len(w.advance(start.Add(time.Hour))); got != 1 {
		t.Errorf("%d leases after an hour's pause", got)
	}
	w.add(&lease{}, start.Add(time.Hour+time.Second))
	if got := len(w.advance(start.Add(time.Hour + 2*time.Second))); got != 1 {
		t.Errorf("%d leases afterwards", got)
	}
}

func TestConnectionsFollowTheirInstances(t *testing.T) {
	var c connections
	a, b := registry.Key{Instance: "a"}, registry.Key{Instance: "b"}
	first, second := connID{"s", 1}, connID{"s", 2}
	c.add(a, first)
	c.add(b, first)
	c.add(a, second)
	c.add(b, connID{})
	if !c.keys[first][b] || c.keys[first][a] || !c.keys[second][a] {
		t.Errorf("%+v", c.keys)
	}
	c.remove(a)
	c.remove(b)
	if len(c.keys) != 0 || len(c.of) != 0 {
		t.Errorf("left over: %+v", c)
	}
}
