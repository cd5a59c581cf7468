package suite

import (
	"slices"
	"testing"

	"fairlead.dev/bench/internal/rows"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
)

func TestTurned(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c"}
	for round, want := range [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"a", "b", "c"}} {
		if got := turned(all, round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
}

// A named system has a name and a part, and can do nothing.
type named struct {
	systems.System
	name string
	peer bool
}

func (n named) Name() string { return n.name }
func (n named) Peer() bool   { return n.peer }

func TestFigureIsJudgedByMediansOfPeersAlone(t *testing.T) {
	t.Parallel()
	o := Options{Systems: []systems.System{
		named{name: "fairlead"}, named{name: "etcd", peer: true}, named{name: "nats", peer: true}, named{name: "nats-republish"},
	}}
	f := rows.Figure{Name: "p50", Target: verdict.Target{Better: verdict.Lower, Ratio: 0.7}}
	measured := samples{
		"fairlead":       {{"p50": 9}, {"p50": 6}, {"p50": 5}},
		"etcd":           {{"p50": 1}, {"p50": 10}, {"p50": 11}},
		"nats":           {{"p50": 12}},
		"nats-republish": {{"p50": 2}},
	}
	got := o.figure(f, measured)
	if got.Word != verdict.Reached || got.Peer != "etcd" || got.Ratio != 0.6 {
		t.Errorf("figure = %+v, want reached at 0.6 × etcd", got.Verdict)
	}
	delete(measured, "fairlead")
	if got := o.figure(f, measured); got.Word != verdict.Short {
		t.Errorf("a figure that was not measured is %q, want short", got.Word)
	}
}
