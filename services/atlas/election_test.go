package atlas

import (
	"testing"
	"time"
)

func TestElection(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	node := func(name string, started time.Time, change func(*presence)) presence {
		p := presence{Node: name, Started: started, Settled: true, Able: true}
		if change != nil {
			change(&p)
		}
		return p
	}
	leads := func(p *presence) { p.Leads = true }
	cases := []struct {
		name  string
		heard []presence
		want  string
	}{
		{"nobody is there", nil, ""},
		{"alone", []presence{node("a", early, nil)}, "a"},
		{"alone and not settled", []presence{node("a", early, func(p *presence) { p.Settled = false })}, "a"},
		{"the longest-running", []presence{node("a", late, nil), node("b", early, nil)}, "b"},
		{"at the same time the lower name", []presence{node("b", early, nil), node("a", early, nil)}, "a"},
		{"who leads goes on", []presence{node("a", early, nil), node("b", late, leads)}, "b"},
		{"who leads and leaves does not", []presence{node("a", early, nil),
			node("b", late, func(p *presence) { p.Leads, p.Leaving = true, true })}, "a"},
		{"who leads and cannot write does not", []presence{node("a", early, nil),
			node("b", late, func(p *presence) { p.Leads, p.Able = true, false })}, "a"},
		{"the settled before the longer-running", []presence{node("a", late, nil),
			node("b", early, func(p *presence) { p.Settled = false })}, "a"},
		{"of two that lead, as after a partition, the settled", []presence{node("a", late, leads),
			node("b", early, func(p *presence) { p.Leads, p.Settled = true, false })}, "a"},
		{"of two that lead the longest-running", []presence{node("a", late, leads), node("b", early, leads)}, "b"},
		{"none can", []presence{node("a", early, func(p *presence) { p.Able = false })}, ""},
	}
	for _, c := range cases {
		if got := elect(c.heard); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWhoIsHeardNoMoreIsForgotten(t *testing.T) {
	var r roster
	start := time.Unix(1000, 0)
	r.note(presence{Node: "a"}, start)
	r.note(presence{Node: "b"}, start.Add(presentFor))
	if got := len(r.heard(start.Add(presentFor))); got != 2 {
		t.Errorf("%d present, want 2", got)
	}
	if got := r.heard(start.Add(presentFor + 1)); len(got) != 1 || got[0].Node != "b" {
		t.Errorf("present: %+v", got)
	}
}

func TestRecentTransitionsKnowWhatTheyLack(t *testing.T) {
	r := recent{after: 10}
	start := time.Unix(1000, 0)
	for i := range 5 {
		r.add(transition{entry: entry{seq: uint64(11 + i)}}, start.Add(time.Duration(i)*rememberFor/2))
	}
	if _, all := r.since(10); all {
		t.Error("what is too old is still claimed to be there")
	}
	got, all := r.since(13)
	if !all || len(got) != 2 || got[0].entry.seq != 14 {
		t.Errorf("since 13: %v, %d transitions", all, len(got))
	}
	for i := range rememberMost + 1 {
		r.add(transition{entry: entry{seq: uint64(16 + i)}}, start.Add(3*rememberFor))
	}
	if len(r.list) > rememberMost || len(r.list) < rememberMost/8*7 || r.after != r.list[0].entry.seq-1 {
		t.Errorf("%d remembered, after %d", len(r.list), r.after)
	}
}
