package worker

import (
	"testing"

	"fairlead.dev/bench/internal/systems"
)

func TestBoardNotesWhenEachListenerIsThere(t *testing.T) {
	t.Parallel()
	b := newBoard()
	b.grow(2)
	k := systems.Key{Service: "s", ID: "i"}
	b.expect(map[systems.Key]systems.State{k: systems.Disabled})
	e := b.of(k)

	b.hearer(0)(k, systems.Enabled)                                   // not what is expected
	b.hearer(0)(systems.Key{Service: "s", ID: "j"}, systems.Disabled) // another instance
	if got := e.instants(); got[0] != 0 || got[1] != 0 {
		t.Fatalf("instants = %v before anybody was there", got)
	}
	b.hearer(0)(k, systems.Disabled)
	first := e.instants()[0]
	b.hearer(0)(k, systems.Disabled) // once more counts no more
	if got := e.instants(); got[0] != first || first == 0 || got[1] != 0 {
		t.Fatalf("instants = %v, want the first time of listener 0 alone", got)
	}
	select {
	case <-e.done:
		t.Fatal("done before listener 1 was there")
	default:
	}
	b.hearer(1)(k, systems.Disabled)
	<-e.done
	if last := b.last(); last < e.instants()[1] {
		t.Errorf("last = %v, before listener 1 at %v", last, e.instants()[1])
	}
}

func TestDifferingComparesWholeTables(t *testing.T) {
	t.Parallel()
	table := systems.NewTable(nil)
	one, two := systems.Instance{Service: "s", ID: "1"}, systems.Instance{Service: "s", ID: "2"}
	if err := table.Put(one.Key(), systems.Value(one, true)); err != nil {
		t.Fatal(err)
	}
	l := closable{table}
	for name, c := range map[string]struct {
		truth map[systems.Key]systems.State
		want  bool
	}{
		"equal":       {map[systems.Key]systems.State{one.Key(): systems.Enabled}, false},
		"gone too":    {map[systems.Key]systems.State{one.Key(): systems.Enabled, two.Key(): systems.Absent}, false},
		"other state": {map[systems.Key]systems.State{one.Key(): systems.Disabled}, true},
		"missing":     {map[systems.Key]systems.State{one.Key(): systems.Enabled, two.Key(): systems.Enabled}, true},
		"left over":   {map[systems.Key]systems.State{one.Key(): systems.Absent}, true},
		"unexpected":  {map[systems.Key]systems.State{}, true},
	} {
		if got := differs(l, c.truth); got != c.want {
			t.Errorf("%s: differs = %v, want %v", name, got, c.want)
		}
	}
}

type closable struct{ *systems.Table }

func (closable) Close() {}
