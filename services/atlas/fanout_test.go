package atlas

import (
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
