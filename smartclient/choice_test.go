package smartclient

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

// A new life's share grows over ten seconds.
func TestSlowStart(t *testing.T) {
	const began = time.Minute
	b, _ := balancerOf(t, instances(100, 100, 100))
	v, err := b.view(servicing(instances(100, 100, 100, 100)), began)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v.groups[0].endpoints {
		v.groups[0].endpoints[i].load.observe(began, time.Millisecond)
	}
	const n, fair = 20_000, 5_000
	for _, tc := range []struct {
		after    time.Duration
		from, to float64
	}{
		{0, 0.05, 0.15}, {time.Second, 0.05, 0.15}, {5 * time.Second, 0.4, 0.6}, {8 * time.Second, 0.7, 0.9}, {slowStart, 0.95, 1.05},
	} {
		got := float64(picks(v, n, began+tc.after, nil)["i003"]) / fair
		if got < tc.from || got > tc.to {
			t.Errorf("after %v: %.2f of its share, want %.2f to %.2f", tc.after, got, tc.from, tc.to)
		}
	}
}

// How an instance was chosen is told by what decided it.
func TestHowAnInstanceWasChosen(t *testing.T) {
	b, old := balancerOf(t, instances(100, 100, 100))
	v, err := b.view(servicing(instances(100, 100, 100, 100)), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	fail(b, &v.members[0], time.Second, failsToEject)
	chosen := func(v *view, i int, routes Routes, now time.Duration) way {
		a := attempt{call: &call{t: &Transport{}, service: "identity", view: v, routes: routes}, at: &v.members[i], began: now}
		return a.chosen()
	}
	for want, got := range map[way]way{
		byBalance: chosen(v, 1, nil, time.Second),
		byRoute:   chosen(v, 0, Routes{"identity": "i000"}, time.Second),
		byNeed:    chosen(v, 0, nil, time.Second),
		byWarmth:  chosen(v, 3, nil, time.Second+slowStart/2),
	} {
		if got != want {
			t.Errorf("chosen by %s, want %s", got, want)
		}
	}
	if got := chosen(v, 3, nil, time.Second+slowStart); got != byBalance {
		t.Errorf("when its slow start is over it is chosen by %s", got)
	}
	for i := range 3 {
		fail(b, &v.members[i], time.Second, failsToEject)
	}
	if got := chosen(v, 3, nil, time.Second); !v.panicking.Load() || got != byPanic {
		t.Errorf("in a panic it is chosen by %s", got)
	}
	if old.panicking.Load() {
		t.Error("a view that nobody uses panics")
	}
}

// Where there is nothing else, the new are used as they are: the only instance,
// the last that was not tried, and a deployment of all at once.
func TestSlowStartStarvesNobody(t *testing.T) {
	replaced := func(n int) *view {
		b, _ := balancerOf(t, instances(make([]int, n)...))
		list := instances(make([]int, n)...)
		for i := range list {
			list[i].Incarnation = "2"
		}
		v, err := b.view(servicing(list), 0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if counts := picks(replaced(1), 100, 0, nil); counts["i000"] != 100 {
		t.Errorf("the only one: %v", counts)
	}
	if counts := picks(replaced(2), 100, 0, []life{{"i000", "2"}}); counts["i001"] != 100 {
		t.Errorf("the last one: %v", counts)
	}
	for id, n := range picks(replaced(4), 1000, 0, nil) {
		if n < 150 {
			t.Errorf("all are new: %s got %d of 1000", id, n)
		}
	}
}

func TestShareOf(t *testing.T) {
	for left, want := range map[time.Duration]float32{slowStart: 0.1, 9500 * time.Millisecond: 0.1, 5 * time.Second: 0.5, 0: 1} {
		if got := shareOf(left); got < want-0.001 || got > want+0.001 {
			t.Errorf("%v left: got %v, want %v", left, got, want)
		}
	}
}

// One slow answer of a good instance, at one request a second: it is asked
// again after a second, and believed.
func TestOneSlowAnswerIsForgiven(t *testing.T) {
	v := viewOf(t, "", instances(100, 100))
	hiccup, other := v.groups[0].endpoints[0].load, v.groups[0].endpoints[1].load
	hiccup.observe(0, time.Second)
	other.observe(0, 10*time.Millisecond)
	counts := map[string]int{}
	for s := range 20 {
		now := time.Duration(s+1) * time.Second
		e := v.pick(now, nil)
		e.load.observe(now, 10*time.Millisecond)
		counts[e.instance.ID]++
	}
	if counts["i000"] < 5 {
		t.Errorf("picked %v", counts)
	}
}

// An instance that stays slow is asked less and less.
func TestLastingSlownessIsAskedLess(t *testing.T) {
	v := viewOf(t, "", instances(100, 100, 100, 100, 100, 100, 100, 100, 100, 100))
	asked := 0
	const rate, seconds = 100, 60
	for i := range rate * seconds {
		now := time.Duration(i) * time.Second / rate
		e := v.pick(now, nil)
		took := 2 * time.Millisecond
		if e.instance.ID == "i000" {
			asked++
			took = 100 * time.Millisecond
		}
		e.load.observe(now, took)
	}
	if asked > 12 || asked < 4 {
		t.Errorf("asked %d times in a minute", asked)
	}
}

func TestRecheckAfter(t *testing.T) {
	for level, want := range map[uint32]time.Duration{0: time.Second, 1: 2 * time.Second, 4: 16 * time.Second, 1 << 20: 16 * time.Second} {
		if got := recheckAfter(level); got != want {
			t.Errorf("level %d: got %v, want %v", level, got, want)
		}
	}
}

// An instance that never answered and fails is no bargain.
func TestFailingUnknownIsNotCheap(t *testing.T) {
	v := viewOf(t, "", instances(100, 100))
	v.groups[0].endpoints[0].load.fails.Store(2)
	v.groups[0].endpoints[1].load.observe(0, time.Second)
	if counts := picks(v, 100, time.Millisecond, nil); counts["i000"] != 0 {
		t.Errorf("picked %v", counts)
	}
}

func TestIsSlow(t *testing.T) {
	const ms = time.Millisecond
	for because, tc := range map[string]struct {
		took, p50, p95 time.Duration
		want           bool
	}{
		"an outlier":              {100 * ms, 2 * ms, 5 * ms, true},
		"nothing is known":        {100 * ms, 0, 0, false},
		"others are as slow":      {100 * ms, 30 * ms, 40 * ms, false},
		"one in twenty is":        {100 * ms, 2 * ms, 110 * ms, false},
		"too quick to matter":     {20 * ms, 2 * ms, 5 * ms, false},
		"four times is not above": {120 * ms, 30 * ms, 40 * ms, false},
	} {
		if got := isSlow(tc.took, tc.p50, tc.p95); got != tc.want {
			t.Errorf("%s: got %v", because, got)
		}
	}
}

func TestSlownessEjects(t *testing.T) {
	type answer struct {
		at   time.Duration
		slow bool
	}
	const ms = time.Millisecond
	for because, tc := range map[string]struct {
		answers []answer
		want    bool
	}{
		"five over a second":        {[]answer{{0, true}, {300 * ms, true}, {500 * ms, true}, {700 * ms, true}, {time.Second, true}}, true},
		"four":                      {[]answer{{0, true}, {300 * ms, true}, {500 * ms, true}, {2000 * ms, true}}, false},
		"a pause":                   {[]answer{{0, true}, {0, true}, {1 * ms, true}, {1 * ms, true}, {2 * ms, true}, {2 * ms, true}}, false},
		"a quick one between":       {[]answer{{0, true}, {300 * ms, true}, {500 * ms, true}, {700 * ms, false}, {time.Second, true}, {2000 * ms, true}}, false},
		"across the moment's limit": {[]answer{{slowMoment * ms, true}, {slowMoment*ms + 300*ms, true}, {slowMoment*ms + 500*ms, true}, {slowMoment*ms + 700*ms, true}, {slowMoment*ms + time.Second, true}}, true},
	} {
		var s slowness
		got := false
		for _, a := range tc.answers {
			got = s.note(a.slow, a.at)
		}
		if got != tc.want {
			t.Errorf("%s: got %v", because, got)
		}
	}
}

func TestDigest(t *testing.T) {
	var d digest
	if q := d.latest(0); q != (quantiles{}) {
		t.Errorf("of nothing: %+v", q)
	}
	for i := range 1000 {
		d.observe(time.Duration(i)*time.Millisecond, time.Duration(i%100+1)*time.Millisecond)
	}
	q := d.quantiles(time.Second)
	within := func(got, want time.Duration) bool { return got >= want && got <= want*5/4+1 }
	if !within(q.p50, 50*time.Millisecond) || !within(q.p95, 95*time.Millisecond) || q.least > time.Millisecond || q.least < 800*time.Microsecond {
		t.Errorf("got %+v", q)
	}
	if q := d.quantiles(15 * time.Second); q.p50 == 0 {
		t.Error("forgotten too early")
	}
	if q := d.quantiles(21 * time.Second); q.p50 != 0 {
		t.Error("not forgotten")
	}
	if q := d.latest(time.Minute); q.p50 != 0 {
		t.Errorf("out of date: %+v", q)
	}
}

func TestBuckets(t *testing.T) {
	for _, took := range []time.Duration{-1, 0, 1, 1023, 1024, 1279, 1280, time.Millisecond, time.Second, time.Minute, time.Hour} {
		i := bucketOf(took)
		if i < 0 || i >= digestBuckets {
			t.Fatalf("%v: bucket %d", took, i)
		}
		if i > 0 && i < digestBuckets-1 && (took < bucketFloor(i) || took >= bucketFloor(i+1)) {
			t.Errorf("%v is in bucket %d, from %v to %v", took, i, bucketFloor(i), bucketFloor(i+1))
		}
	}
}

// A slow instance is ejected and stays away while its probes are slow.
func TestSlowInstanceIsEjected(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100, 100))
	e := &v.groups[0].endpoints[0]
	for i := range slowsToEject {
		if got := b.slowed(e, time.Duration(i)*time.Second); got != (i == slowsToEject-1) {
			t.Errorf("answer %d: ejected %v", i+1, got)
		}
	}
	if v.away() != 1 {
		t.Fatal("not ejected")
	}
	if b.slowed(e, 5*time.Second) {
		t.Error("one that was under way counted as a probe")
	}
	if counts := picks(v, 100, 10*time.Second, nil); counts["i000"] != 1 {
		t.Errorf("want one probe, picked %v", counts)
	}
	if !b.slowed(e, 10*time.Second) || e.load.ejected.times.Load() != 2 {
		t.Error("a slow probe brought it back")
	}
}

func BenchmarkView(b *testing.B) {
	for _, n := range []int{3, 100} {
		list := instances(make([]int, n)...)
		table := registry.NewTable("test", "e").WithService("identity", 1, list)
		before, _ := newView(table.Service("identity"), Options{}, nil, 0)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = newView(table.Service("identity"), Options{}, before, 0)
			}
		})
	}
}

// The time that the registry has calls wait says nothing of an instance.
func TestResolvingIsNoPartOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := transport(Options{}, 1, (&stage{act: steps(in(10*time.Millisecond, 200))}).RoundTrip)
		r := &awaited{}
		tr.options.Resolver = r
		for range 3 {
			r.news = servicing(instances(0))
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if resp, err := asked(t, tr); err == nil {
						_ = resp.Body.Close()
					}
				})
			}
			both.Wait()
			heard := tr.balancerOf("identity").current.Load().members[0].load
			if got := time.Duration(heard.latency.at(millis(tr.now()))); got < 9*time.Millisecond || got > 11*time.Millisecond {
				t.Errorf("an instance that takes 10 ms is thought to take %v", got)
			}
		}
	})
}

// awaited has every call wait for news of a service.
type awaited struct{ news *registry.Service }

func (a *awaited) Resolve(context.Context, string) (*registry.Service, error) {
	<-time.After(time.Second)
	return a.news, nil
}
