package rows

import (
	"errors"
	"slices"
	"testing"
	"time"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/systems"
)

func TestRowsAreNamedOnceAndSayWhatTheyDo(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, r := range All() {
		if names[r.Name] {
			t.Errorf("row %s is there twice", r.Name)
		}
		names[r.Name] = true
		if r.Title == "" || r.Method == "" || r.Measure == nil || len(r.Figures) == 0 {
			t.Errorf("row %s lacks a title, a method or figures", r.Name)
		}
		figures := map[string]bool{}
		for _, f := range r.Figures {
			if figures[f.Name] || f.Title == "" || f.Unit == "" || f.Target.Better == "" {
				t.Errorf("row %s: figure %q is there twice or incomplete", r.Name, f.Name)
			}
			figures[f.Name] = true
		}
	}
}

func TestEachForIsEvenAndBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate float64
		want int
	}{
		{0, 2},
		{10, 2},
		{sustainedInstances, 4},
		{1000, 32},
		{1e9, sustainedMost},
	} {
		if got := eachFor(c.rate, 4*time.Second); got != c.want || got%2 != 0 {
			t.Errorf("eachFor(%v) = %d, want %d", c.rate, got, c.want)
		}
	}
}

func TestSinceTellsOfListenersThatNeverWereThere(t *testing.T) {
	t.Parallel()
	took, err := since(100, []clock.Instant{150, 300})
	if err != nil || !slices.Equal(took, []time.Duration{50, 200}) {
		t.Errorf("since = %v, %v", took, err)
	}
	took, err = since(100, []clock.Instant{150, 0})
	if !errors.Is(err, errMissed) || !slices.Equal(took, []time.Duration{50}) {
		t.Errorf("since = %v, %v, want one and %v", took, err, errMissed)
	}
}

func TestRealmIsSpreadOverServices(t *testing.T) {
	t.Parallel()
	keys, services := map[systems.Key]bool{}, map[string]int{}
	for _, in := range realm(10, 1000) {
		keys[in.Key()] = true
		services[in.Service]++
	}
	if len(keys) != 1000 || len(services) != 10 || services["service003"] != 100 {
		t.Errorf("%d instances of %d services, %d of one", len(keys), len(services), services["service003"])
	}
}
