package rows

import (
	"context"
	"fmt"
	"math"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
	"fairlead.dev/bench/internal/worker"
)

const (
	sustainedInstances   = 128
	sustainedWriters     = 64
	sustainedConnections = 16
	sustainedFor         = 4 * time.Second
	sustainedMost        = 200 // flips of each instance
	catchUpWithin        = 90 * time.Second
)

// sustained measures how many flips a second reach everybody.
func sustained() Row {
	return Row{
		Name:  "flips-sustained",
		Title: "Flips a second sustained to 1,000 connections that all listen to that service",
		Method: "64 writers on 16 connections flip 128 instances of one service, each writer one after the other, " +
			"for about four seconds by a first trial's rate; the time ends when the last of 1,000 tables, on as many connections, " +
			"has the last state of every instance.",
		Figures: []Figure{
			{Name: "rate", Title: "flips a second", Unit: "1/s", Target: verdict.Target{Better: verdict.Higher, Bound: 1000}},
			{Name: "wrong", Title: "tables that are wrong in the end", Unit: "tables", Target: verdict.Target{Better: verdict.Lower, Zero: true}},
			serverCost, listenersCost,
		},
		Measure: measureSustained,
	}
}

func measureSustained(ctx context.Context, b *lab.Bench, quick bool) (Values, error) {
	all := instances(service, "host", sustainedInstances)
	s, err := setScene(ctx, b, sceneOf{instances: all, connections: listeners, listeners: listeners, writers: sustainedConnections})
	if err != nil {
		return nil, err
	}
	trial, err := flood(ctx, s, all, 2)
	if err != nil || trial["wrong"] > 0 {
		return trial, err
	}
	each := eachFor(trial["rate"], pick(quick, time.Second, sustainedFor))
	return costed(b, s, each*len(all), func() (Values, error) { return flood(ctx, s, all, each) })
}

// eachFor returns how often each instance is flipped so that it takes about as
// long as wanted: an even number, so that all end as they began.
func eachFor(rate float64, d time.Duration) int {
	each := int(math.Round(rate*d.Seconds()/sustainedInstances/2)) * 2
	return min(max(each, 2), sustainedMost)
}

func flood(ctx context.Context, s scene, all []systems.Instance, each int) (Values, error) {
	span, err := s.writer.Flips(ctx, worker.FlipsArgs{Instances: all, Writers: sustainedWriters, Each: each})
	if err != nil {
		return nil, fmt.Errorf("flips: %w", err)
	}
	census, err := s.audience.Census(ctx, truth(all, systems.Enabled), catchUpWithin)
	if err != nil {
		return nil, err
	}
	took := max(census.Last, span.Ended).Sub(span.Began)
	return Values{
		"rate":  float64(each*len(all)) / took.Seconds(),
		"wrong": float64(census.Wrong),
	}, nil
}
