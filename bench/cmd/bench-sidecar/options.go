package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
)

type options struct {
	programs proxies.Programs
	rows     []row
	rounds   int
	quick    bool
	dir      string
	output   report.Output
}

const defaultRounds = 7

func parse(args []string) (options, error) {
	o := options{output: report.Output{Part: "sidecar"}}
	var rowList string
	f := flag.NewFlagSet("bench-sidecar", flag.ContinueOnError)
	f.StringVar(&o.programs.Fairlead, "fairlead", "bin/fairlead", "the program to measure")
	f.StringVar(&o.programs.Caddy, "caddy", "bin/bench-caddy", "Caddy, built of bench/caddy")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	f.IntVar(&o.rounds, "rounds", defaultRounds, "how often each row is measured; those that take long are measured less")
	f.BoolVar(&o.quick, "quick", false, "one round and less of everything, to see whether it works")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where files are kept meanwhile")
	f.StringVar(&o.output.Format, "o", "text", "what is printed: text or json")
	f.StringVar(&o.output.Results, "results", "", "file that gets the results as JSON")
	f.StringVar(&o.output.Page, "page", "", "page whose generated part gets the results")
	if err := f.Parse(args); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	return o, o.check(rowList, f.Args())
}

func (o *options) check(rowList string, rest []string) (err error) {
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
	// Child processes need not share the working directory.
	for _, program := range []*string{&o.programs.Fairlead, &o.programs.Caddy} {
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
	}
	if o.rows, err = report.Chosen("rows", rowList, allRows, func(r row) string { return r.name }); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}
