package smartclient

import (
	"log/slog"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestMayEject(t *testing.T) {
	for _, tc := range []struct {
		fails    int32
		away, of int
		want     bool
		because  string
	}{
		{4, 0, 10, false, "four failures"},
		{5, 0, 10, true, "five failures"},
		{5, 0, 1, false, "the last one"},
		{5, 0, 2, true, "one of two"},
		{5, 1, 2, false, "the last of two"},
		{5, 1, 3, false, "more than half of three"},
		{5, 4, 10, true, "the fifth of ten"},
		{5, 5, 10, false, "the sixth of ten"},
	} {
		if got := mayEject(tc.fails, tc.away, tc.of); got != tc.want {
			t.Errorf("%s: got %v", tc.because, got)
		}
	}
}

func TestEjectionLengths(t *testing.T) {
	for _, tc := range []struct {
		n    int32
		roll float64
		want time.Duration
	}{
		{1, 0, 5 * time.Second}, {1, 0.5, 4750 * time.Millisecond}, {3, 0, 15 * time.Second},
		{60, 0, 300 * time.Second}, {1 << 20, 0, 300 * time.Second},
	} {
		if got := ejection(tc.n, tc.roll); got != tc.want {
			t.Errorf("%d: got %v, want %v", tc.n, got, tc.want)
		}
	}
}

func balancerOf(t *testing.T, list []registry.Instance) (*balancer, *view) {
	t.Helper()
	b := newBalancer("identity", Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults())
	v, err := b.view(servicing(list))
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

func fail(b *balancer, e *endpoint, now time.Duration, times int) {
	for range times {
		b.failed(e, now)
	}
}

// The whole story: ejected, one probe that fails, longer away, one probe that
// is answered, back.
func TestEjectionAndReturn(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100, 100))
	bad := &v.groups[0].endpoints[0]
	fail(b, bad, 0, failsToEject)
	if counts := picks(v, 1000, time.Second, nil); counts["i000"] != 0 {
		t.Fatalf("picked while ejected: %v", counts)
	}
	fail(b, bad, time.Second, 3) // those that were under way
	if counts := picks(v, 1000, 5*time.Second, nil); counts["i000"] != 1 {
		t.Fatalf("after 5 s, want one probe, picked %v", counts)
	}
	b.failed(bad, 5*time.Second)
	if counts := picks(v, 1000, 13*time.Second, nil); counts["i000"] != 0 {
		t.Fatalf("the second ejection is too short: %v", counts)
	}
	if counts := picks(v, 1000, 15*time.Second, nil); counts["i000"] != 1 {
		t.Fatalf("after 10 s more, want one probe, picked %v", counts)
	}
	b.answered(bad)
	if counts := picks(v, 1000, 16*time.Second, nil); counts["i000"] < 200 {
		t.Errorf("not back: %v", counts)
	}
}

// A probe that ends without a verdict (its caller went away) is made again.
func TestLostProbeIsRepeated(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100))
	fail(b, &v.groups[0].endpoints[0], 0, failsToEject)
	for _, now := range []time.Duration{5 * time.Second, 5*time.Second + probeFor} {
		if counts := picks(v, 1000, now, nil); counts["i000"] != 1 {
			t.Errorf("at %v picked %v", now, counts)
		}
	}
}

func TestAtMostHalfAreEjected(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100, 100, 100, 100))
	for i := range v.groups[0].endpoints {
		fail(b, &v.groups[0].endpoints[i], 0, 10)
	}
	if n := v.away(); n != 2 {
		t.Errorf("%d of 5 ejected", n)
	}
	one, v := balancerOf(t, instances(100))
	fail(one, &v.groups[0].endpoints[0], 0, 100)
	if v.away() != 0 || v.pick(0, nil) == nil {
		t.Error("the only instance was ejected")
	}
}

// When all others were tried, an ejected instance is better than none.
func TestEjectedAsLastResort(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100))
	fail(b, &v.groups[0].endpoints[0], 0, failsToEject)
	if e := v.pick(0, []life{v.groups[0].endpoints[1].life()}); e == nil || e.instance.ID != "i000" {
		t.Errorf("picked %v", e)
	}
}
