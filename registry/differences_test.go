package registry

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// told applies differences to what somebody holds.
func told(t *testing.T, held map[string]uint64, then, now *Service) (count int) {
	t.Helper()
	last := ""
	for before, after := range now.Since(then) {
		count++
		one := after
		if after == nil {
			one = before
			delete(held, one.ID)
		} else {
			held[one.ID] = one.Revision
		}
		if was, _ := then.Instance(one.ID); before != nil && was.Revision != before.Revision || one.ID <= last {
			t.Fatalf("%s was at %d: %+v", one.ID, was.Revision, before)
		}
		last = one.ID
	}
	return count
}

// TestSinceTellsWhatChanged follows a service of several blocks by nothing but
// the differences between looks at it.
func TestSinceTellsWhatChanged(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	table := NewTable("local", "e")
	var then *Service
	held := map[string]uint64{}
	for i := range 4000 {
		id := fmt.Sprintf("i%03d", random.IntN(4*blockMost))
		if random.IntN(3) == 0 {
			table = table.WithoutInstance("identity", id, uint64(i))
		} else {
			in := sample("identity", id, 1)
			in.Revision = uint64(i)
			table = table.WithInstance(in)
		}
		if random.IntN(5) > 0 {
			continue
		}
		now := table.Service("identity")
		told(t, held, then, now)
		truth := map[string]uint64{}
		for in := range now.All() {
			truth[in.ID] = in.Revision
		}
		if !maps.Equal(held, truth) {
			t.Fatalf("step %d: told of %d instances, there are %d", i, len(held), len(truth))
		}
		then = now
	}
}

func TestSinceSparesWhatIsTheSame(t *testing.T) {
	var all []Instance
	for i := range 3 * blockMost {
		all = append(all, sample("identity", fmt.Sprintf("i%03d", i), 1))
	}
	table := NewTable("local", "e").WithService("identity", 1, all)
	now := table.Service("identity")
	again := NewTable("local", "e").WithService("identity", 1, slices.Clone(all)).Service("identity")
	one := all[70]
	one.Enabled, one.Revision = false, 2
	for name, c := range map[string]struct {
		then, now *Service
		want      int
	}{
		"the same":                     {now, now, 0},
		"equal in another table":       {now, again, 0},
		"one changed":                  {now, table.WithInstance(one).Service("identity"), 1},
		"one left":                     {now, table.WithoutInstance("identity", "i100", 2).Service("identity"), 1},
		"new":                          {nil, now, len(all)},
		"gone":                         {now, nil, len(all)},
		"neither was there nor is now": {nil, nil, 0},
	} {
		if got := told(t, map[string]uint64{}, c.then, c.now); got != c.want {
			t.Errorf("%s: %d differences, expected %d", name, got, c.want)
		}
	}
}
