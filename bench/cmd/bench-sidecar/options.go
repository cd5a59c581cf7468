package main

import (
	"flag"
	"path/filepath"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
)

type options struct {
	command.Options
	programs proxies.Programs
	rows     []row
}

const (
	defaultRounds = 7
	// filesNeeded is for idle connections at both ends.
	filesNeeded = 20_000
)

func parse(args []string) (options, error) {
	o := options{Options: command.Options{Name: "bench-sidecar", Files: filesNeeded, Rounds: defaultRounds, Output: report.Output{Part: "sidecar"}}}
	var rowList string
	f := flag.NewFlagSet(o.Name, flag.ContinueOnError)
	f.StringVar(&o.programs.Fairlead, "fairlead", "bin/fairlead", "the program to measure")
	f.StringVar(&o.programs.Caddy, "caddy", "bin/bench-caddy", "Caddy, built of bench/caddy")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	if err := o.Parse(f, args); err != nil {
		return o, err
	}
	return o, o.choose(rowList)
}

func (o *options) choose(rowList string) (err error) {
	// Child processes need not share the working directory.
	for _, program := range []*string{&o.programs.Fairlead, &o.programs.Caddy} {
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}
	o.rows, err = command.Chosen("rows", rowList, allRows, func(r row) string { return r.name })
	return err
}
