package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/rows"
	"fairlead.dev/bench/internal/systems"
)

type options struct {
	systems []systems.System
	rows    []rows.Row
	rounds  int
	quick   bool
	dir     string
	output  report.Output
	from    string
}

const defaultRounds = 3

func parse(args []string) (options, error) {
	o := options{output: report.Output{Part: "registry"}}
	var binary, systemList, rowList string
	f := flag.NewFlagSet("bench-registry", flag.ContinueOnError)
	f.StringVar(&binary, "fairlead", "bin/fairlead", "the program to measure")
	f.StringVar(&systemList, "systems", "", "systems to measure, separated by commas; all by default")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	f.IntVar(&o.rounds, "rounds", defaultRounds, "how often each row is measured; those that take long are measured less")
	f.BoolVar(&o.quick, "quick", false, "one round and less of everything, to see whether it works")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where data is kept meanwhile; has to be on a disk")
	f.StringVar(&o.output.Format, "o", "text", "what is printed: text or json")
	f.StringVar(&o.output.Results, "results", "", "file that gets the results as JSON")
	f.StringVar(&o.output.Page, "page", "", "page whose generated part gets the results")
	f.StringVar(&o.from, "from", "", "measure nothing: show the results in this file")
	if err := f.Parse(args); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	// Child processes need not share the working directory.
	binary, err := filepath.Abs(binary)
	if err != nil {
		return o, err
	}
	return o, o.choose(binary, systemList, rowList, f.Args())
}

func (o *options) choose(binary, systemList, rowList string, rest []string) (err error) {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%w: %q is not expected", errUsage, rest[0])
	case o.output.Format != "text" && o.output.Format != "json":
		return fmt.Errorf("%w: -o: must be text or json, got %q", errUsage, o.output.Format)
	case o.rounds < 1:
		return fmt.Errorf("%w: --rounds: must be at least 1, got %d", errUsage, o.rounds)
	case o.quick:
		o.rounds = 1
	}
	if o.systems, err = chosen("systems", systemList, all(binary), systemName); err != nil {
		return err
	}
	o.rows, err = chosen("rows", rowList, rows.All(), rowName)
	return err
}
