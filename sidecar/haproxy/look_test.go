package haproxy

import (
	"errors"
	"testing"
	"time"
)

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

// TestPauseAfterAStall: a HAProxy that hung for a few seconds was not looked at
// for minutes, whoever reloaded it meanwhile.
func TestPauseAfterAStall(t *testing.T) {
	for _, c := range []struct {
		took time.Duration
		err  error
		want time.Duration
	}{
		{time.Millisecond, nil, 2 * time.Second},
		{85 * time.Millisecond, nil, 4250 * time.Millisecond},
		{4 * time.Second, nil, maxPause},
		{5 * time.Second, errors.New("timed out"), 2 * time.Second},
	} {
		if got := pauseAfter(&look{err: c.err}, c.took, 2*time.Second); got != c.want {
			t.Errorf("after %s, %v: %s, want %s", c.took, c.err, got, c.want)
		}
	}
}
