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
	// garbageRoom is how much a control plane's heap may grow between two
	// collections, whatever lives in it. Go's default, as much as lives, has a
	// small registry collect ten times a second when it is written to, which
	// took a quarter of its time.
	garbageRoom = 128 << 20
	// garbageMost and garbageLeast bound what that makes of Go's setting.
	garbageMost, garbageLeast = 400, 100
	garbageCheck              = time.Second
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
	live := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		runtimemetrics.Read(live)
		debug.SetGCPercent(garbagePercent(live[0].Value.Uint64()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// garbagePercent is what lets a heap grow by the room there is.
func garbagePercent(live uint64) int {
	return int(min(max(garbageRoom*100/max(live, 1), garbageLeast), garbageMost))
}
