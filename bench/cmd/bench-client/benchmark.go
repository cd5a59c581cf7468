package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clientsuite"
	"fairlead.dev/bench/internal/report"
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
	for _, s := range o.systems {
		r.Systems = append(r.Systems, report.System{Name: s.Name, Version: s.Version(), Peer: s.Peer})
	}
	r.Rows, err = clientsuite.Run(ctx, clientsuite.Options{
		Lab:  clientrows.Lab{Self: self, Dir: dir, Systems: o.systems, Quick: o.Quick},
		Rows: o.rows, Rounds: o.Rounds, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	return err
}
