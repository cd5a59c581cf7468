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
		{"large, with heartbeats", 240 * mib, 30 * mib, 25},
		{"large and busy", 480 * mib, 500 * mib, 100},
		{"huge", 1 << 40, 0, garbageFew},
	} {
		if got := garbagePercent(c.live, c.made); got != c.want {
			t.Errorf("%s: %d %%, want %d", c.name, got, c.want)
		}
	}
}

func TestMemoryIsSpareThatTheHeapWillNotTake(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		heap    heap
		percent int
		want    bool
	}{
		{heap{live: 200 * mib, used: 220 * mib, free: 200 * mib}, 25, true},
		{heap{live: 200 * mib, used: 220 * mib, free: 60 * mib}, 25, false},
		{heap{live: 200 * mib, used: 220 * mib, free: 200 * mib}, 100, false}, // it is about to grow
		{heap{live: 200 * mib, used: 400 * mib, free: 50 * mib}, 25, false},   // it has to be collected first
		{heap{free: 15 * mib}, 400, false},
	} {
		if got := c.heap.hasSpare(c.percent); got != c.want {
			t.Errorf("%+v at %d %%: %v", c.heap, c.percent, got)
		}
	}
}
