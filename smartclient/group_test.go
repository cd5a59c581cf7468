package smartclient

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func instances(weights ...int) []registry.Instance {
	list := make([]registry.Instance, len(weights))
	for i, w := range weights {
		list[i] = registry.Instance{
			Service: "identity", ID: fmt.Sprintf("i%03d", i), Scheme: "http", Host: "127.0.0.1", Port: 5000 + i,
			Weight: w, Incarnation: "1", Status: registry.Passing, Enabled: true,
		}
	}
	return list
}

func servicing(list []registry.Instance) *registry.Service {
	return registry.NewTable("test", "e1").WithService("identity", 1, list).Service("identity")
}

func viewOf(t testing.TB, zone string, list []registry.Instance) *view {
	t.Helper()
	v, err := newView(servicing(list), Options{Zone: zone}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func picks(v *view, n int, now time.Duration, tried []life) map[string]int {
	counts := map[string]int{}
	for range n {
		if e := v.pick(now, tried); e != nil {
			counts[e.instance.ID]++
		}
	}
	return counts
}

// Instances that are alike get requests in proportion to their weights.
func TestPicksFollowWeights(t *testing.T) {
	for _, weights := range [][]int{{100, 100, 100}, {100, 300}, {1, 10, 89, 900}, {1000, 1}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			const n = 200_000
			counts := picks(viewOf(t, "", instances(weights...)), n, 0, nil)
			total := 0
			for _, w := range weights {
				total += w
			}
			for i, w := range weights {
				want := float64(n) * float64(w) / float64(total)
				got := float64(counts[fmt.Sprintf("i%03d", i)])
				if math.Abs(got-want) > 5*math.Sqrt(want)+1 {
					t.Errorf("instance %d: got %.0f, want about %.0f", i, got, want)
				}
			}
		})
	}
}

func TestPickAvoidsTheSlowAndTheBusy(t *testing.T) {
	for name, burden := range map[string]func(*load){
		"slow":    func(l *load) { l.latency.observe(time.Second, time.Second) },
		"busy":    func(l *load) { l.inFlight.Store(100) },
		"failing": func(l *load) { l.fails.Store(3) },
	} {
		t.Run(name, func(t *testing.T) {
			v := viewOf(t, "", instances(100, 100, 100))
			for i := range v.groups[0].endpoints {
				v.groups[0].endpoints[i].load.latency.observe(time.Second, 10*time.Millisecond)
			}
			burden(v.groups[0].endpoints[0].load)
			if counts := picks(v, 1000, time.Second, nil); counts["i000"] > 0 {
				t.Errorf("picked %v", counts)
			}
		})
	}
}

// A slow instance is tried again once its slowness is long ago.
func TestPickForgives(t *testing.T) {
	v := viewOf(t, "", instances(100, 100))
	for i := range v.groups[0].endpoints {
		v.groups[0].endpoints[i].load.latency.observe(0, 10*time.Millisecond)
	}
	v.groups[0].endpoints[0].load.latency.observe(0, time.Second)
	later := 5 * time.Minute
	v.groups[0].endpoints[1].load.latency.observe(later, 10*time.Millisecond)
	if counts := picks(v, 100, later, nil); counts["i000"] != 100 {
		t.Errorf("picked %v", counts)
	}
}

// An instance without an answer yet gets one request, not all of them.
func TestPickDoesNotFlockToTheUnknown(t *testing.T) {
	v := viewOf(t, "", instances(100, 100))
	v.groups[0].endpoints[1].load.latency.observe(0, time.Second)
	if got := v.pick(0, nil); got.instance.ID != "i000" {
		t.Fatal("an idle unknown instance should be tried")
	}
	v.groups[0].endpoints[0].load.inFlight.Store(1)
	if counts := picks(v, 100, 0, nil); counts["i000"] > 0 {
		t.Errorf("picked %v", counts)
	}
}

func TestPickPrefersItsZone(t *testing.T) {
	list := instances(100, 100, 100)
	list[1].Zone = "here"
	v := viewOf(t, "here", list)
	if counts := picks(v, 100, 0, nil); counts["i001"] != 100 {
		t.Errorf("picked %v", counts)
	}
	tried := []life{{"i001", "1"}}
	if counts := picks(v, 100, 0, tried); counts["i001"] != 0 || counts["i000"] == 0 || counts["i002"] == 0 {
		t.Errorf("after it was tried, picked %v", counts)
	}
}

// A worse tier helps out only when the better one was tried.
func TestPickByTier(t *testing.T) {
	list := instances(100, 100, 100)
	list[1].Status, list[2].Enabled = registry.Suspect, false
	v := viewOf(t, "", list)
	if counts := picks(v, 100, 0, nil); counts["i000"] != 100 {
		t.Errorf("picked %v", counts)
	}
	tried := []life{{"i000", "1"}}
	if counts := picks(v, 100, 0, tried); counts["i001"] != 100 {
		t.Errorf("after it was tried, picked %v", counts)
	}
	tried = append(tried, life{"i001", "1"})
	if e := v.pick(0, tried); e != nil || v.hasOther(tried) {
		t.Errorf("picked a disabled instance: %v", e)
	}
}

// What was learned of an instance lasts as long as its life, not longer.
func TestLoadsFollowLives(t *testing.T) {
	list := instances(100, 100)
	first := viewOf(t, "", list)
	list = slices.Clone(list) // the other is the first table's
	list[1].Incarnation = "2"
	list[0].Weight = 50
	s := registry.NewTable("test", "e1").WithService("identity", 2, list).Service("identity")
	second, err := newView(s, Options{}, first, 0)
	if err != nil {
		t.Fatal(err)
	}
	if first.members[0].load != second.members[0].load {
		t.Error("a living instance lost what was learned")
	}
	if len(second.members) != 2 || second.members[1].load == first.members[1].load {
		t.Error("a restarted instance inherited from its former life")
	}
}

func TestAverage(t *testing.T) {
	near := func(got, want float32) bool { return math.Abs(float64(got-want)) <= 0.02*float64(want)+0.01 }
	for name, tc := range map[string]struct {
		old, sample float32
		age         uint32
		want        float32
	}{
		"first":            {0, 100, 0, 100},
		"peak":             {100, 5000, 1, 5000},
		"decays":           {1000, 0, 3_000, 375}, // e^-1 is 368, approximated from above
		"moves by and by":  {1000, 500, 300, 952},
		"long ago":         {1000, 10, 10_000_000, 10},
		"at the same time": {1000, 0, 0, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			if got := average(tc.old, tc.sample, tc.age); !near(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if elapsed(10, 5) != 0 || elapsed(5, 10) != 5 {
		t.Error("elapsed")
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	v := viewOf(t, "", instances(make([]int, 100)...))
	if n := testing.AllocsPerRun(1000, func() { v.pick(0, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// An instance that leaves the table and comes back within a request has a new
// load, and was tried all the same.
func TestPickKnowsAnInstanceThatCameBack(t *testing.T) {
	b, first := balancerOf(t, instances(100, 100))
	tried := []life{first.groups[0].endpoints[0].life()}
	if _, err := b.view(servicing(instances(100, 100)[1:]), 0); err != nil {
		t.Fatal(err)
	}
	again, err := b.view(servicing(instances(100, 100)), 0)
	if err != nil {
		t.Fatal(err)
	}
	if counts := picks(again, 50, 0, tried); counts["i000"] != 0 {
		t.Errorf("picked %v", counts)
	}
}
