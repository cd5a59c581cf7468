package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clientsuite"
	"fairlead.dev/bench/internal/machine"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/report"
)

// filesNeeded is for what an overloaded client opens.
const filesNeeded = 12_000

func benchmark(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	results, err := o.results(ctx)
	if err != nil {
		return err
	}
	if err := o.output.Show(results, out); err != nil {
		return err
	}
	if results.Short() {
		return errShort
	}
	return nil
}

func (o options) results(ctx context.Context) (report.Results, error) {
	if o.from != "" {
		return report.Load(o.from)
	}
	if err := process.NeedFiles(filesNeeded); err != nil {
		return report.Results{}, err
	}
	dir, err := os.MkdirTemp(o.dir, "bench-client-")
	if err != nil {
		return report.Results{}, err
	}
	r, err := o.measure(ctx, dir)
	return r, errors.Join(err, os.RemoveAll(dir))
}

func (o options) measure(ctx context.Context, dir string) (report.Results, error) {
	self, err := os.Executable()
	if err != nil {
		return report.Results{}, err
	}
	facts, err := machine.Look(dir)
	if err != nil {
		return report.Results{}, err
	}
	r := report.Results{Began: time.Now().UTC().Truncate(time.Second), Commit: report.Commit(ctx), Quick: o.quick, Machine: facts}
	for _, s := range o.systems {
		r.Systems = append(r.Systems, report.System{Name: s.Name, Version: s.Version(), Peer: s.Peer})
	}
	r.Rows, err = clientsuite.Run(ctx, clientsuite.Options{
		Lab:  clientrows.Lab{Self: self, Dir: dir, Systems: o.systems, Quick: o.quick},
		Rows: o.rows, Rounds: o.rounds, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	r.Took = time.Since(r.Began)
	return r, err
}
