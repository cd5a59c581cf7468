package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
)

var startRow = row{
	name: "start", title: "Start from the cache",
	method:  "From the start of `fairlead sidecar`, on both cores and with 500 services of 20 instances in its cache and no bus, to the first answer of a service.",
	measure: measureStart,
}

func measureStart(ctx context.Context, s *scene) ([]report.Figure, error) {
	seconds := samples{}
	for range min(s.Rounds, 5) {
		for _, kind := range []string{"builtin", "haproxy"} {
			took, err := s.start(ctx, kind)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			seconds.add("fairlead-"+kind, took.Seconds())
		}
	}
	return []report.Figure{
		seconds.only(ourBuiltin).figure("built-in, to serving", "s", ourBuiltin, atMost(1)),
		seconds.only(ourHAProxy).figure("HAProxy, to serving", "s", ourHAProxy, atMost(1)),
	}, nil
}

func (s *scene) start(ctx context.Context, kind string) (time.Duration, error) {
	dir, err := os.MkdirTemp(s.place.Dir, "start-")
	if err != nil {
		return 0, err
	}
	if err := proxies.Save(dir, proxies.Table(s.place, 500, 20)); err != nil {
		return 0, err
	}
	port, err := process.FreePort()
	if err != nil {
		return 0, err
	}
	command := proxies.SidecarCommand(s.programs, dir, port, kind)
	began := time.Now()
	child, err := process.Start(process.Spec{Path: command[0], Args: command[1:], Log: filepath.Join(dir, "log")})
	if err != nil {
		return 0, err
	}
	defer child.Stop(15 * time.Second)
	if err := proxies.Await(ctx, fmt.Sprintf("http://127.0.0.1:%d/", port)); err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "log"))
		return 0, fmt.Errorf("%w: %.500s", err, said)
	}
	return time.Since(began), nil
}
