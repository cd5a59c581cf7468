package main

import (
	"flag"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/report"
)

type options struct {
	command.Options
	systems []clients.System
	rows    []clientrows.Row
}

const (
	defaultRounds = 3
	// filesNeeded is for what an overloaded client opens.
	filesNeeded = 12_000
)

func parse(args []string) (options, error) {
	o := options{Options: command.Options{Name: "bench-client", Files: filesNeeded, Rounds: defaultRounds, Output: report.Output{Part: "client"}}}
	var systemList, rowList string
	f := flag.NewFlagSet(o.Name, flag.ContinueOnError)
	f.StringVar(&systemList, "systems", "", "systems to measure, separated by commas; all by default")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	if err := o.Parse(f, args); err != nil {
		return o, err
	}
	return o, o.choose(systemList, rowList)
}

func (o *options) choose(systemList, rowList string) (err error) {
	if o.systems, err = command.Chosen("systems", systemList, clients.All(), func(s clients.System) string { return s.Name }); err != nil {
		return err
	}
	o.rows, err = command.Chosen("rows", rowList, clientrows.All(), func(r clientrows.Row) string { return r.Name })
	return err
}
