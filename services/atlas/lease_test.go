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
	const seen = moment(1000 * time.Second)
	cases := []struct{ now, want time.Duration }{
		{0, 4500 * time.Millisecond},
		{4499 * time.Millisecond, 4500 * time.Millisecond},
		{4500 * time.Millisecond, 6 * time.Second},
		{6 * time.Second, 8 * time.Second},
		{time.Hour, time.Hour + 2*time.Second},
	}
	for _, c := range cases {
		if got := nextCheck(seen, DefaultTerms, seen.add(c.now)).since(seen); got != c.want {
			t.Errorf("at %v: %v, want %v", c.now, got, c.want)
		}
	}
}

func TestTheWheelBringsUpWhatIsDue(t *testing.T) {
	const start = moment(1000 * time.Second)
	w := newWheel(start)
	dues := map[string]time.Duration{"soon": 0, "one": time.Second, "late": 24 * time.Second, "beyond": time.Hour}
	for name, d := range dues {
		w.add(&lease{key: registry.Key{Instance: name}}, start.add(d))
	}
	came := map[string]time.Duration{}
	for at := time.Duration(0); at <= 30*time.Second; at += 70 * time.Millisecond {
		w.advance(start.add(at), func(l *lease) { came[l.key.Instance] = at })
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
	const start = moment(1000 * time.Second)
	w, came := newWheel(start), 0
	count := func(*lease) { came++ }
	w.add(&lease{}, start.add(5*time.Second))
	if w.advance(start.add(time.Hour), count); came != 1 {
		t.Errorf("%d leases after an hour's pause", came)
	}
	w.add(&lease{}, start.add(time.Hour+time.Second))
	if w.advance(start.add(time.Hour+2*time.Second), count); came != 2 {
		t.Errorf("%d leases afterwards", came-1)
	}
}

func TestALeaseMayBePutBackWhileTheWheelTurns(t *testing.T) {
	w, came := newWheel(0), 0
	w.add(&lease{}, 0)
	for at := moment(0); at < moment(time.Minute); at = at.add(wheelStep) {
		w.advance(at, func(l *lease) { came++; w.add(l, at.add(time.Second)) })
	}
	if came < 50 || came > 60 {
		t.Errorf("came %d times in a minute, want once a second", came)
	}
}

func TestConnectionsFollowTheirInstances(t *testing.T) {
	c := connections{}
	a, b := &lease{}, &lease{}
	first, second := connID{"s", 1}, connID{"s", 2}
	c.add(a, first)
	c.add(b, first)
	c.add(a, second)
	c.add(b, connID{})
	if len(c[first].leases) != 1 || !b.speaksThrough(first) || !a.speaksThrough(second) || a.speaksThrough(first) {
		t.Errorf("%+v", c)
	}
	c.remove(a)
	c.remove(b)
	if len(c) != 0 || b.speaksThrough(first) {
		t.Errorf("left over: %+v", c)
	}
}

func TestWhoKeepsAnId(t *testing.T) {
	for found, want := range map[outcome]struct{ held, over, spared bool }{
		itself:    {true, true, true},
		anonymous: {true, false, false},
		unwell:    {true, false, false},
		another:   {},
		refused:   {},
		silent:    {true, false, true},
	} {
		for when, c := range map[string]struct {
			st   standing
			want bool
		}{
			"while the lease holds":         {standing{held: true}, want.held},
			"once it is over":               {standing{}, want.over},
			"once it is over and held back": {standing{spared: "for a reason"}, want.spared},
			"while everybody falls silent":  {standing{held: true, spared: "for a reason"}, want.held},
		} {
			if why := c.st.keeps(found); (why != "") != c.want {
				t.Errorf("%v, %s: kept for %q, want kept: %t", found, when, why, c.want)
			}
		}
	}
}

func TestSilenceHasToLastSinceAnySignOfLife(t *testing.T) {
	terms, at := DefaultTerms, func(d time.Duration) moment { return moment(0).add(d) }
	l := &lease{alive: at(9 * time.Second)} // a probe was answered long after the last heartbeat
	cases := map[string]struct {
		found outcome
		now   time.Duration
		over  bool
	}{
		"one silent probe":              {silent, 11 * time.Second, false},
		"silence for a lease":           {silent, 15 * time.Second, true},
		"an answer without an identity": {anonymous, 9 * time.Second, true},
		"within the lease":              {anonymous, 5 * time.Second, false},
	}
	for name, test := range cases {
		if got := l.over(test.found, at(test.now), terms); got != test.over {
			t.Errorf("%s: over is %t, want %t", name, got, test.over)
		}
	}
}
