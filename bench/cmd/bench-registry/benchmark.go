package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/suite"
	"fairlead.dev/bench/internal/systems"
)

func benchmark(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	return o.Run(ctx, out, o.measure)
}

func (o options) measure(ctx context.Context, dir string, r *report.Results) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l := &lab.Lab{Self: self, Dir: dir}
	if r.Systems, err = versions(ctx, l, o.systems); err != nil {
		return err
	}
	r.Rows, err = suite.Run(ctx, suite.Options{
		Lab: l, Systems: o.systems, Rows: o.rows, Rounds: o.Rounds, Quick: o.Quick,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	return err
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
