package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0:         garbageMost,
		10 << 20:  garbageMost,
		64 << 20:  200,
		128 << 20: garbageLeast,
		1 << 40:   garbageLeast,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}
