package clientrows

import (
	"errors"
	"slices"
	"testing"
	"time"

	"fairlead.dev/bench/internal/clients"
)

func TestRowsAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var systems []string
	for _, s := range clients.All() {
		systems = append(systems, s.Name)
	}
	for _, r := range All() {
		if r.Name == "" || r.Title == "" || r.Method == "" || len(r.Figures) == 0 || r.Measure == nil || seen[r.Name] {
			t.Errorf("row %+v is incomplete or there twice", r)
		}
		seen[r.Name] = true
		for _, f := range r.Figures {
			for _, name := range append(slices.Clone(f.Peers), f.Of) {
				if name != "" && name != noPeers[0] && !slices.Contains(systems, name) {
					t.Errorf("%s: %s: no system %q", r.Name, f.Name, name)
				}
			}
		}
	}
}

func TestBenchmarkLine(t *testing.T) {
	t.Parallel()
	out := []byte("goos: linux\nBenchmarkPick/100-2         \t25\t 45.30 ns/op\t       0 B/op\t       3 allocs/op\nBenchmarkPick/100_in_parallel-2 \t 5\t 30 ns/op\nPASS\n")
	if ns, allocs, ok := benchmarkLine(out, "BenchmarkPick/100-"); ns != 45.3 || allocs != 3 || !ok {
		t.Errorf("got %v, %v, %v", ns, allocs, ok)
	}
	if ns, _, ok := benchmarkLine(out, "BenchmarkPick/100_in_parallel"); ns != 30 || !ok {
		t.Errorf("got %v, %v", ns, ok)
	}
	if _, _, ok := benchmarkLine(out, "BenchmarkOther"); ok {
		t.Error("found what is not there")
	}
}

func TestWhatClientsAddIsRelativeToThePlainOne(t *testing.T) {
	t.Parallel()
	v, err := aboveThePlain(map[string][]batch{
		clients.Plain:        {{100, 50, 60}, {110, 52, 60}, {300, 70, 60}},
		clients.FairleadBare: {{102, 51, 63}, {112, 53, 63}, {320, 90, 63}},
	})
	if err != nil || v["bare"][clients.FairleadBare] != 2 || v["bare-allocs"][clients.FairleadBare] != 3 || v["cpu"][clients.FairleadBare] != 1 || v["plain"][clients.Plain] != 110 {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := aboveThePlain(map[string][]batch{clients.Fairlead: {{1, 1, 1}}}); !errors.Is(err, errNoPlain) {
		t.Errorf("without plain: %v", err)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	samples := []sample{
		{at: 0, took: time.Millisecond, ok: true},
		{at: 900 * time.Millisecond, took: 200 * time.Millisecond, ok: true}, // answered in the second bucket
		{at: time.Second, took: time.Millisecond},
		{at: 2 * time.Second, took: 0},
	}
	if got := buckets(samples, time.Second); !slices.Equal(got, []int{1, 1, 0}) {
		t.Errorf("got %v", got)
	}
	if failures(samples) != 2 {
		t.Errorf("%d failures", failures(samples))
	}
	if got := p99(samples, 500*time.Millisecond); got != 200 {
		t.Errorf("p99 is %v ms", got)
	}
}

// 200 a second are 50 in a quarter of one, of which 48 are enough.
func TestBackAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts []int
		want   time.Duration
	}{
		"at once":             {[]int{50, 50, 49, 2}, 0},
		"after a while":       {[]int{0, 10, 50, 50, 2}, 500 * time.Millisecond},
		"it gets worse again": {[]int{50, 50, 20, 50, 2}, 750 * time.Millisecond},
	} {
		if got := backAfter(c.counts, 200); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
