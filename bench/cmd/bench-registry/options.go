package main

import (
	"flag"
	"path/filepath"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/rows"
	"fairlead.dev/bench/internal/systems"
)

type options struct {
	command.Options
	systems []systems.System
	rows    []rows.Row
}

const (
	defaultRounds = 3
	// filesNeeded is for 5,000 connections at either end.
	filesNeeded = 12_000
)

func parse(args []string) (options, error) {
	o := options{Options: command.Options{Name: "bench-registry", Files: filesNeeded, Rounds: defaultRounds, Output: report.Output{Part: "registry"}}}
	var binary, systemList, rowList string
	f := flag.NewFlagSet(o.Name, flag.ContinueOnError)
	f.StringVar(&binary, "fairlead", "bin/fairlead", "the program to measure")
	f.StringVar(&systemList, "systems", "", "systems to measure, separated by commas; all by default")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	if err := o.Parse(f, args); err != nil {
		return o, err
	}
	// Child processes need not share the working directory.
	binary, err := filepath.Abs(binary)
	if err != nil {
		return o, err
	}
	return o, o.choose(binary, systemList, rowList)
}

func (o *options) choose(binary, systemList, rowList string) (err error) {
	if o.systems, err = command.Chosen("systems", systemList, all(binary), systems.System.Name); err != nil {
		return err
	}
	o.rows, err = command.Chosen("rows", rowList, rows.All(), func(r rows.Row) string { return r.Name })
	return err
}
