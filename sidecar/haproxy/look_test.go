package haproxy

import "testing"

// TestLookBesideChanges: what was changed during a look is not taken for
// somebody else's doing, and all else is.
func TestLookBesideChanges(t *testing.T) {
	l := &look{
		from:  has(t, "identity s0", "s0/a maint", "orders s1", "s1/c ready"),
		now:   has(t, "identity s0", "s0/a ready", "s1/c ready", "other s1"),
		slots: map[string]bool{}, keys: map[string]bool{},
	}
	l.touch([]command{{verb: setMaint, slot: "s0", server: "a"}, {verb: addEntry, key: "orders", value: "s1"}, {verb: delEntry, key: "gone"}})
	want := has(t, "identity s0", "s0/a maint", "orders s1", "s1/c ready", "other s1")
	if got := l.result(); !got.equal(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var none *look
	none.touch([]command{{verb: setMaint, slot: "s0"}})
}
