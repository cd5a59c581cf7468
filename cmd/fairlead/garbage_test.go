package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name       string
		live, made uint64
		want       int
	}{
		{"new", 0, 0, garbageMost},
		{"small and at rest", 12 * mib, 0, 400},
		{"small and busy", 64 * mib, 500 * mib, 400},
		{"large and at rest", 480 * mib, mib, 10},
		{"large, with heartbeats", 240 * mib, 15 * mib, 25},
		{"large and busy", 480 * mib, 500 * mib, 100},
		{"huge", 1 << 40, 0, garbageFew},
	} {
		if got := garbagePercent(c.live, c.made); got != c.want {
			t.Errorf("%s: %d %%, want %d", c.name, got, c.want)
		}
	}
}

func TestMemoryIsSpareBeyondAQuarterOfWhatIsUsed(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		used, free uint64
		want       bool
	}{{200 * mib, 400 * mib, true}, {200 * mib, 100 * mib, false}, {0, 60 * mib, false}, {2000 * mib, 400 * mib, false}} {
		if got := (heap{used: c.used, free: c.free}).hasSpare(); got != c.want {
			t.Errorf("%d used, %d free: %v", c.used, c.free, got)
		}
	}
}
