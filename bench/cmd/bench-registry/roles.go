package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/systems/etcd"
	"fairlead.dev/bench/internal/systems/fairlead"
	"fairlead.dev/bench/internal/systems/natskv"
	"fairlead.dev/bench/internal/systems/zookeeper"
	"fairlead.dev/bench/internal/worker"
)

// all returns every system, the product first.
func all(binary string) []systems.System {
	return []systems.System{
		fairlead.System{Binary: binary}, etcd.System{}, natskv.System{}, natskv.System{Republish: true}, zookeeper.System{},
	}
}

func byName(name string) (systems.System, error) {
	for _, s := range all("") {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: no system %q", command.ErrUsage, name)
}

// serve is the server process of a system that is a Go module.
func serve(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%w: expected a system and its place", command.ErrUsage)
	}
	var place systems.Place
	if err := json.Unmarshal([]byte(args[1]), &place); err != nil {
		return fmt.Errorf("%w: place: %w", command.ErrUsage, err)
	}
	switch args[0] {
	case etcd.System{}.Name():
		return etcd.Serve(ctx, place)
	case natskv.System{}.Name(), natskv.System{Republish: true}.Name():
		return natskv.Serve(ctx, place)
	}
	return fmt.Errorf("%w: no server %q", command.ErrUsage, args[0])
}

// work is a process of clients, told over its standard input what to do.
func work(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: expected a job", command.ErrUsage)
	}
	job, err := worker.ParseJob(args[0])
	if err != nil {
		return err
	}
	system, err := byName(job.System)
	if err != nil {
		return err
	}
	return worker.Serve(pipe{os.Stdin, os.Stdout}, system, job)
}

// A pipe is both ends of the conversation with the benchmark.
type pipe struct {
	io.ReadCloser
	io.Writer
}
