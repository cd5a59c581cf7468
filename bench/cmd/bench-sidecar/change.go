package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/stat"
)

var changeRow = row{
	name: "change", title: "Changes under load",
	method: "20 changes of the table a second (one of 20 instances is disabled, another enabled) for 30 s under 4,000 requests a second on " +
		"64 kept connections. A change is applied when the sidecar's plane says so, from the moment the table is there.",
	measure: measureChange,
}

var underLoad = proxies.Pace{PerSecond: 4000, Connections: 64}

func measureChange(ctx context.Context, s *scene) ([]report.Figure, error) {
	p50, p99, failed, reloads := samples{}, samples{}, samples{}, samples{}
	for range min(s.Rounds, 3) {
		for _, kind := range []string{"builtin", "haproxy"} {
			told, load, err := s.changeUnderLoad(ctx, kind)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			name := "fairlead-" + kind
			p50.add(name, stat.Median(told.Milliseconds))
			p99.add(name, stat.Percentile(told.Milliseconds, 99))
			failed.add(name, float64(load.Failed))
			reloads.add(name, float64(told.Reloads))
			fmt.Fprintf(os.Stderr, "bench-sidecar: %s: %d changes, %d requests, %d failed: %v\n", kind, len(told.Milliseconds), load.Sent, load.Failed, load.First)
		}
	}
	return []report.Figure{
		p50.only(ourBuiltin).figure("built-in, applied p50", "ms", ourBuiltin, atMost(1)),
		p50.only(ourHAProxy).figure("HAProxy, applied p50", "ms", ourHAProxy, atMost(2)),
		p99.only(ourBuiltin).figure("built-in, applied p99", "ms", ourBuiltin, atMost(10)),
		p99.only(ourHAProxy).figure("HAProxy, applied p99", "ms", ourHAProxy, atMost(10)),
		failed.only(ourBuiltin).figure("built-in, failed requests", "", ourBuiltin, none),
		failed.only(ourHAProxy).figure("HAProxy, failed requests", "", ourHAProxy, none),
		reloads.only(ourHAProxy).figure("HAProxy, reloads", "", ourHAProxy, none),
	}, nil
}

// changeUnderLoad runs a plane in a process of its own that changes its table.
func (s *scene) changeUnderLoad(ctx context.Context, kind string) (told, proxies.Outcome, error) {
	lasts := 30 * time.Second
	if s.Quick {
		lasts = 5 * time.Second
	}
	dir, err := os.MkdirTemp(s.place.Dir, kind+"-")
	if err != nil {
		return told{}, proxies.Outcome{}, err
	}
	port, err := process.FreePort()
	if err != nil {
		return told{}, proxies.Outcome{}, err
	}
	job, err := json.Marshal(planeJob{Kind: kind, Dir: dir, Port: port, Backends: s.place.Backends})
	if err != nil {
		return told{}, proxies.Outcome{}, err
	}
	child, err := process.Start(process.Spec{
		Path: "taskset", Args: []string{"-c", proxies.ProxyCore, s.self, "plane", string(job)}, Log: filepath.Join(dir, "log"), Talks: true,
	})
	if err != nil {
		return told{}, proxies.Outcome{}, err
	}
	defer child.Stop(15 * time.Second)
	url := "http://127.0.0.1:" + strconv.Itoa(port) + "/"
	if err := proxies.Await(ctx, url); err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "log"))
		return told{}, proxies.Outcome{}, fmt.Errorf("%w: %.500s", err, said)
	}
	bounded, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	load := proxies.Load(bounded, url, underLoad)
	// Closing its input has it tell.
	if err := child.Close(); err != nil {
		return told{}, load, err
	}
	var t told
	err = json.NewDecoder(child).Decode(&t)
	return t, load, err
}
