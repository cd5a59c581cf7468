package atlas

import (
	"slices"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestAChangeSaysNoMoreThanItHasTo(t *testing.T) {
	before := &registry.Instance{Service: "identity", ID: "a", Port: 5000, Status: registry.Passing, Enabled: true}
	off, moved := *before, *before
	off.Enabled, off.Reason, moved.Port = false, "disk", 5001
	key := registry.Key{Realm: "local", Service: "identity", Instance: "a"}
	cases := []struct {
		name                       string
		t                          transition
		whole, condition, goneOnly bool
	}{
		{"it came", transition{key: key, after: before}, true, false, false},
		{"switched off", transition{key: key, before: before, after: &off}, false, true, false},
		{"another port", transition{key: key, before: before, after: &moved}, true, false, false},
		{"it left", transition{key: key, before: before}, false, false, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := changeOf(c.t)
			if (got.Instance != nil) != c.whole || (got.Condition != nil) != c.condition || (got.Gone == "a") != c.goneOnly {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestAnotherServiceDoesNotPutOffThoseThatWait has services open one after the
// other, each with a gap that ends later than the first's.
func TestAnotherServiceDoesNotPutOffThoseThatWait(t *testing.T) {
	f, now := newFanout(nil, nil), time.Now()
	f.wake(now.Add(gapLeast), now)
	f.wake(now.Add(2*gapLeast), now)
	if !f.due.Equal(now.Add(gapLeast)) {
		t.Errorf("due after %v, expected %v", f.due.Sub(now), gapLeast)
	}
}

// TestDigestsAreSparedWhileAServiceChanges: two in a row at most, and none once
// it rests.
func TestDigestsAreSparedWhileAServiceChanges(t *testing.T) {
	f := newFanout(nil, nil)
	of := registry.Interest{Realm: "local", Service: "identity"}
	rounds := func(n int) (spared []bool) {
		for range n {
			spared = append(spared, f.spare(of))
		}
		return spared
	}
	if got := rounds(2); slices.Contains(got, true) {
		t.Errorf("a service at rest was spared: %v", got)
	}
	f.batch(of)
	if got, want := rounds(6), []bool{true, true, false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("a service that changes was spared: %v, expected %v", got, want)
	}
	f.flush(time.Now())
	if got := rounds(1); got[0] || len(f.spared) > 0 {
		t.Errorf("a service that rests again was spared: %v", got)
	}
}
