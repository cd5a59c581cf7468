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

func TestAConditionThatALaterChangeTellsOfIsLeftOut(t *testing.T) {
	condition := func(revision uint64, id string) registry.Change {
		return registry.Change{Revision: revision, Previous: revision - 1, Condition: &registry.Condition{ID: id}}
	}
	whole := func(revision uint64, id string) registry.Change {
		return registry.Change{Revision: revision, Previous: revision - 1, Instance: &registry.Instance{ID: id}}
	}
	gone := func(revision uint64, id string) registry.Change {
		return registry.Change{Revision: revision, Previous: revision - 1, Gone: id}
	}
	meta := registry.Change{Revision: 12, Previous: 11, Meta: &registry.Meta{}}
	type link struct{ previous, revision uint64 }
	cases := []struct {
		name string
		all  []registry.Change
		want []link
	}{
		{"none", nil, nil},
		{"one", []registry.Change{condition(11, "a")}, []link{{10, 11}}},
		{"of several instances", []registry.Change{condition(11, "a"), condition(12, "b")}, []link{{10, 11}, {11, 12}}},
		{"twice", []registry.Change{condition(11, "a"), condition(12, "a")}, []link{{10, 12}}},
		{"again and again", []registry.Change{condition(11, "a"), condition(12, "b"), condition(13, "a"), condition(14, "a"), condition(15, "b")}, []link{{10, 14}, {14, 15}}},
		{"between others", []registry.Change{condition(11, "b"), condition(12, "a"), condition(13, "c"), condition(14, "a")}, []link{{10, 11}, {11, 13}, {13, 14}}},
		{"and then registered anew", []registry.Change{condition(11, "a"), whole(12, "a")}, []link{{10, 12}}},
		{"and then gone", []registry.Change{condition(11, "a"), gone(12, "a")}, []link{{10, 12}}},
		{"registrations are all told", []registry.Change{whole(11, "a"), condition(12, "a"), condition(13, "a")}, []link{{10, 11}, {11, 13}}},
		{"metadata is no instance's", []registry.Change{condition(11, "a"), meta, condition(13, "a")}, []link{{10, 12}, {12, 13}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []link
			for _, change := range latest(c.all) {
				got = append(got, link{change.Previous, change.Revision})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("left are %v, expected %v", got, c.want)
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
