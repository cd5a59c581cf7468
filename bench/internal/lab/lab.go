// Package lab sets measurements up: a directory on disk, the server of one
// system, and workers that drive it, all processes of their own.
//
//	bench, err := l.Open(ctx, system)
//	defer bench.Close()
//	listeners, err := bench.Worker(ctx, 20)
//
// What a bench started ends with it, and its data is removed.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/worker"
)

const (
	readyWithin = 30 * time.Second
	readyTry    = 2 * time.Second
	readyPace   = 20 * time.Millisecond
)

// A Lab is where measurements are made.
type Lab struct {
	// Self is this program, which runs servers and workers too.
	Self string
	// Dir is where data is kept meanwhile: on a disk, for writes are synced.
	Dir string
}

// A Bench is one system, running.
type Bench struct {
	System systems.System
	Place  systems.Place

	lab   *Lab
	terms systems.Terms

	mu      sync.Mutex
	server  *process.Child
	workers []*worker.Worker
}

type configurer interface {
	Configure(systems.Place) error
}

// Open starts a system's server on an empty directory and returns when it
// answers.
func (l *Lab) Open(ctx context.Context, s systems.System, terms systems.Terms) (*Bench, error) {
	dir, err := os.MkdirTemp(l.Dir, s.Name()+"-")
	if err != nil {
		return nil, err
	}
	b := &Bench{System: s, lab: l, terms: terms, Place: systems.Place{Dir: dir}}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.Name(), err), b.Close())
	}
	return b, nil
}

func (b *Bench) open(ctx context.Context) (err error) {
	if b.Place.Port, err = process.FreePort(); err != nil {
		return err
	}
	if c, ok := b.System.(configurer); ok {
		if err := c.Configure(b.Place); err != nil {
			return err
		}
	}
	if err := b.StartServer(); err != nil {
		return err
	}
	return b.ready(ctx)
}

// StartServer starts the server, on the data that is there.
func (b *Bench) StartServer() error {
	server, err := process.Start(b.spec())
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = server
	return nil
}

func (b *Bench) spec() process.Spec {
	cmd := b.System.Server(b.Place)
	spec := process.Spec{Path: cmd.Path, Args: cmd.Args, Log: filepath.Join(b.Place.Dir, "server.log")}
	if cmd.Path == "" {
		// A struct of strings and numbers always encodes.
		place, _ := json.Marshal(b.Place)
		spec.Path, spec.Args = b.lab.Self, []string{"server", b.System.Name(), string(place)}
	}
	return spec
}

// Server is the server's process.
func (b *Bench) Server() *process.Child {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}

func (b *Bench) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		err := b.try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("server does not answer: %w\n%s", err, tail(filepath.Join(b.Place.Dir, "server.log")))
		case <-time.After(readyPace):
		}
	}
}

func (b *Bench) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTry)
	defer cancel()
	return b.System.Prepare(ctx, b.Place)
}

// Worker starts a worker with that many connections.
func (b *Bench) Worker(ctx context.Context, connections int) (*worker.Worker, error) {
	job := worker.Job{System: b.System.Name(), Place: b.Place, Terms: b.terms}
	w, err := worker.Start(b.lab.Self, filepath.Join(b.Place.Dir, "workers.log"), job)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.workers = append(b.workers, w)
	b.mu.Unlock()
	return w, w.Dial(ctx, connections)
}

// Close ends all processes and removes the data.
func (b *Bench) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.workers {
		w.Kill()
	}
	if b.server != nil {
		b.server.Kill()
	}
	return os.RemoveAll(b.Place.Dir)
}

const tailMost = 2000

// tail returns the end of a log, for an error to say why.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailMost):])
}
