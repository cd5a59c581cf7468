package main

import (
	"flag"
	"fmt"
	"os"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/report"
)

type options struct {
	systems []clients.System
	rows    []clientrows.Row
	rounds  int
	quick   bool
	dir     string
	output  report.Output
	from    string
}

const defaultRounds = 3

func parse(args []string) (options, error) {
	o := options{output: report.Output{Part: "client"}}
	var systemList, rowList string
	f := flag.NewFlagSet("bench-client", flag.ContinueOnError)
	f.StringVar(&systemList, "systems", "", "systems to measure, separated by commas; all by default")
	f.StringVar(&rowList, "rows", "", "rows to measure, separated by commas; all by default")
	f.IntVar(&o.rounds, "rounds", defaultRounds, "how often each row is measured; those that take long are measured less")
	f.BoolVar(&o.quick, "quick", false, "one round and less of everything, to see whether it works")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where logs are kept meanwhile")
	f.StringVar(&o.output.Format, "o", "text", "what is printed: text or json")
	f.StringVar(&o.output.Results, "results", "", "file that gets the results as JSON")
	f.StringVar(&o.output.Page, "page", "", "page whose generated part gets the results")
	f.StringVar(&o.from, "from", "", "measure nothing: show the results in this file")
	if err := f.Parse(args); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	return o, o.choose(systemList, rowList, f.Args())
}

func (o *options) choose(systemList, rowList string, rest []string) (err error) {
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
	if o.systems, err = report.Chosen("systems", systemList, clients.All(), func(s clients.System) string { return s.Name }); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.rows, err = report.Chosen("rows", rowList, clientrows.All(), func(r clientrows.Row) string { return r.Name }); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}
