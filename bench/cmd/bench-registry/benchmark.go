package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/machine"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/rows"
	"fairlead.dev/bench/internal/suite"
	"fairlead.dev/bench/internal/systems"
)

// filesNeeded is for 5,000 connections at either end.
const filesNeeded = 12_000

func benchmark(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.from == "" {
		return measure(ctx, o, out)
	}
	results, err := report.Load(o.from)
	if err != nil {
		return err
	}
	return show(results, o, out)
}

func measure(ctx context.Context, o options, out io.Writer) error {
	if err := process.NeedFiles(filesNeeded); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "bench-registry-")
	if err != nil {
		return err
	}
	results, err := measureIn(ctx, o, dir)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	return show(results, o, out)
}

func measureIn(ctx context.Context, o options, dir string) (report.Results, error) {
	self, err := os.Executable()
	if err != nil {
		return report.Results{}, err
	}
	facts, err := machine.Look(dir)
	if err != nil {
		return report.Results{}, err
	}
	l := &lab.Lab{Self: self, Dir: dir}
	r := report.Results{Began: time.Now().UTC().Truncate(time.Second), Commit: report.Commit(ctx), Quick: o.quick, Machine: facts}
	if r.Systems, err = versions(ctx, l, o.systems); err != nil {
		return report.Results{}, err
	}
	r.Rows, err = suite.Run(ctx, suite.Options{
		Lab: l, Systems: o.systems, Rows: o.rows, Rounds: o.rounds, Quick: o.quick,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	r.Took = time.Since(r.Began)
	return r, err
}

// versions starts each system once: those that cannot start end the run before
// it has cost anything.
func versions(ctx context.Context, l *lab.Lab, all []systems.System) ([]report.System, error) {
	var known []report.System
	for _, s := range all {
		b, err := l.Open(ctx, s, systems.Terms{})
		if err != nil {
			return nil, err
		}
		version, err := s.Version(ctx, b.Place)
		if err := errors.Join(err, b.Close()); err != nil {
			return nil, fmt.Errorf("version of %s: %w", s.Name(), err)
		}
		known = append(known, report.System{Name: s.Name(), Version: version, Peer: s.Peer()})
	}
	return known, nil
}

func show(r report.Results, o options, out io.Writer) error {
	if err := o.output.Show(r, out); err != nil {
		return err
	}
	if r.Short() {
		return errShort
	}
	return nil
}

// chosen is [report.Chosen], whose errors are of the arguments.
func chosen[T any](flag, list string, all []T, name func(T) string) ([]T, error) {
	some, err := report.Chosen(flag, list, all, name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return some, nil
}

func rowName(r rows.Row) string { return r.Name }

func systemName(s systems.System) string { return s.Name() }
