package main

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"sync"
	"time"
)

const (
	// garbageFor is for how long a control plane's heap may grow between two
	// collections, at the rate at which it does. Go's default, as much as lives,
	// has a small registry collect ten times a second when it is written to,
	// which took a quarter of its time, and lets a large one hold twice its size
	// for the sake of heartbeats that leave next to nothing behind.
	garbageFor = 2 * time.Second
	// garbageLeast and garbageRoom bound what that may be; more than lives in it
	// is too much for a large heap alone.
	garbageLeast, garbageRoom = 48 << 20, 256 << 20
	// garbageFew and garbageMost bound what that makes of Go's setting, in
	// percent.
	garbageFew, garbageMost = 10, 800
	garbageCheck            = time.Second
	// spareMost is how much memory may be left over from busier times, beyond
	// what the heap may grow to and a tenth, which pieces take. Go gives it back
	// by itself, but takes minutes.
	spareMost = 16 << 20
	// spareChecks is after how many checks in a row that found some it is given
	// back, and spareAgain how many follow until it is looked for again: giving
	// it back takes a collection.
	spareChecks, spareAgain = 3, 15
)

// startTuningGarbage begins to keep the collector's setting fit; stop ends it.
func startTuningGarbage() (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var tuner sync.WaitGroup
	tuner.Go(func() { tuneGarbage(ctx) })
	return func(context.Context) error { cancel(); tuner.Wait(); return nil }
}

// tuneGarbage keeps the collector's setting fit for the heap until ctx ends.
// Whoever sets GOGC or GOMEMLIMIT has decided otherwise.
func tuneGarbage(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(garbageCheck)
	defer tick.Stop()
	before, found := readHeap(), 0
	for {
		now := readHeap()
		percent := garbagePercent(now.live, now.made-before.made)
		before = now
		debug.SetGCPercent(percent)
		if found++; found > 0 && !now.hasSpare(percent) {
			found = 0
		}
		if found >= spareChecks {
			debug.FreeOSMemory()
			found = -spareAgain
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// A heap is what a process has of it, in bytes.
type heap struct {
	live uint64 // at the last collection
	made uint64 // since the process began
	used uint64 // objects and what became garbage since
	free uint64 // in nobody's use, and not given back
}

func readHeap() heap {
	samples := []runtimemetrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	runtimemetrics.Read(samples)
	return heap{
		live: samples[0].Value.Uint64(), made: samples[1].Value.Uint64(),
		used: samples[2].Value.Uint64(), free: samples[3].Value.Uint64(),
	}
}

// hasSpare tells whether there is more memory than the heap will take until it
// is collected.
func (h heap) hasSpare(percent int) bool {
	needed := h.live + h.live*uint64(percent)/100
	return h.used+h.free > max(needed, h.used)*11/10+spareMost
}

// garbagePercent is what lets a heap grow for as long as it may, if it goes on as
// in the last [garbageCheck].
func garbagePercent(live, made uint64) int {
	grows := made * uint64(garbageFor/garbageCheck)
	room := min(max(grows, garbageLeast), max(garbageRoom, live))
	return int(min(max(room*100/max(live, 1), garbageFew), garbageMost))
}
