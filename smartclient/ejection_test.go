package smartclient

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestMayEject(t *testing.T) {
	for _, tc := range []struct {
		away, of int
		want     bool
		because  string
	}{
		{0, 10, true, "the first"},
		{0, 1, false, "the last one"},
		{0, 2, true, "one of two"},
		{1, 2, false, "the last of two"},
		{1, 3, false, "more than half of three"},
		{4, 10, true, "the fifth of ten"},
		{5, 10, false, "the sixth of ten"},
	} {
		if got := mayEject(tc.away, tc.of); got != tc.want {
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
	v, err := b.view(servicing(list), 0)
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

// A repetition that has no body to send takes nobody's right to probe an ejected
// instance.
func TestARepetitionWithoutItsBodyClaimsNoProbe(t *testing.T) {
	const over = 1 // whoever is picked next probes
	var tr *Transport
	tr = transport(Options{}, 2, func(req *http.Request) (*http.Response, error) {
		all := tr.balancerOf("identity").current.Load().all()
		for i := range all {
			if all[i].addr != req.URL.Host {
				all[i].load.ejected.until.Store(over)
			}
		}
		return nil, &net.OpError{Op: "dial", Err: io.EOF}
	})
	lost := errors.New("no second copy")
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", "service://identity/", strings.NewReader("x"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, lost }
	if _, err := tr.RoundTrip(req); !errors.Is(err, lost) {
		t.Fatalf("got %v", err)
	}
	untils := map[int64]int{}
	for _, e := range tr.balancerOf("identity").current.Load().all() {
		untils[e.load.ejected.until.Load()]++
	}
	if untils[0] != 1 || untils[over] != 1 {
		t.Errorf("ejected until, and how many: %v", untils)
	}
}

func TestAtMostHalfAreEjected(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100, 100, 100, 100))
	for i := range 2 {
		fail(b, &v.groups[0].endpoints[i], 0, 10)
	}
	if n := v.away(); n != 2 || v.panicking.Load() {
		t.Errorf("%d of 5 ejected, panic %v", n, v.panicking.Load())
	}
	one, v := balancerOf(t, instances(100))
	fail(one, &v.groups[0].endpoints[0], 0, 100)
	if v.away() != 0 || v.pick(0, nil) == nil {
		t.Error("the only instance was ejected")
	}
}

// Where most fail, nobody is an outlier: all are used, those that answer by far
// the most, and afterwards nobody is left out.
func TestPanic(t *testing.T) {
	b, v := balancerOf(t, instances(100, 100, 100, 100, 100))
	all := v.groups[0].endpoints
	for i := range all {
		all[i].load.observe(0, time.Millisecond)
	}
	for i := range 3 {
		fail(b, &all[i], time.Second, 10)
	}
	if !v.panicking.Load() || v.away() != 0 {
		t.Fatalf("panic %v, %d ejected", v.panicking.Load(), v.away())
	}
	counts := picks(v, 1000, time.Second, nil)
	if bad := counts["i000"] + counts["i001"] + counts["i002"]; bad == 0 || bad > 50 {
		t.Errorf("the failing got %d of 1000", bad)
	}
	for i := range 3 {
		b.answered(&all[i])
	}
	if v.panicking.Load() {
		t.Error("the panic did not end")
	}
	for id, n := range picks(v, 1000, 2*time.Second, nil) {
		if n < 100 {
			t.Errorf("%s got %d of 1000", id, n)
		}
	}
}

func TestBreadth(t *testing.T) {
	for because, tc := range map[string]struct {
		zoneWell, zone, well, pool int
		want                       breadth
	}{
		"all is well":                       {2, 2, 10, 10, nearby},
		"no zone":                           {0, 0, 10, 10, normal},
		"half of the zone":                  {1, 2, 9, 10, nearby},
		"less than half of the zone":        {1, 3, 8, 10, normal},
		"the zone is well, the rest not":    {2, 2, 2, 10, nearby},
		"half of all":                       {0, 2, 5, 10, normal},
		"less than half of all":             {0, 2, 4, 10, panicked},
		"most are in doubt, none nearby":    {0, 0, 4, 10, panicked},
		"none":                              {0, 0, 0, 10, panicked},
		"the only one":                      {0, 0, 1, 1, normal},
		"the only one, and it fails":        {0, 0, 0, 1, panicked},
		"one of two that is left is enough": {0, 0, 1, 2, normal},
	} {
		if got := breadthOf(tc.zoneWell, tc.zone, tc.well, tc.pool); got != tc.want {
			t.Errorf("%s: got %v, want %v", because, got, tc.want)
		}
	}
}

// When most candidates are in doubt, suspects are used with the others, but not
// those that say themselves that they are critical.
func TestPanicWidensToSuspects(t *testing.T) {
	list := instances(100, 100, 100, 100, 100)
	for i := range 3 {
		list[i].Status = registry.Suspect
	}
	list[4].Status = registry.Critical
	v := viewOf(t, "", list) // of a pool of four one is a candidate
	counts := picks(v, 1000, 0, nil)
	if len(counts) != 4 || counts["i004"] != 0 {
		t.Errorf("picked %v", counts)
	}
	list[0].Status = registry.Passing
	if counts := picks(viewOf(t, "", list), 1000, 0, nil); len(counts) != 2 {
		t.Errorf("with half of the pool well, picked %v", counts)
	}
}

// A zone that is not well hands requests to the others, before it is down.
func TestZoneOverflows(t *testing.T) {
	list := instances(100, 100, 100, 100, 100, 100)
	for i := range 3 {
		list[i].Zone = "here"
	}
	b, v := newBalancer("identity", Options{Zone: "here", Logger: slog.New(slog.DiscardHandler)}.withDefaults()), (*view)(nil)
	v, err := b.view(servicing(list), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		fail(b, &v.groups[0].endpoints[i], 0, failsToEject)
	}
	counts := picks(v, 1000, 0, nil)
	if counts["i000"]+counts["i001"] != 0 || counts["i002"] < 150 || counts["i003"] < 150 {
		t.Errorf("picked %v", counts)
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
