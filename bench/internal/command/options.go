package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"fairlead.dev/bench/internal/machine"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/report"
)

// Options are the flags that all benchmarks have.
type Options struct {
	// Name is the command's, Files how many open files it needs.
	Name  string
	Files uint64
	// Rounds is how often each row is measured; what it is before the flags are
	// read is the default.
	Rounds int
	Quick  bool
	Output report.Output

	dir, from string
}

// Parse reads the flags of all benchmarks beside a command's own, which it has
// defined already.
func (o *Options) Parse(f *flag.FlagSet, args []string) error {
	f.IntVar(&o.Rounds, "rounds", o.Rounds, "how often each row is measured; those that take long are measured less")
	f.BoolVar(&o.Quick, "quick", false, "one round and less of everything, to see whether it works")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where data and logs are kept meanwhile; has to be on a disk")
	f.StringVar(&o.Output.Format, "o", "text", "what is printed: text or json")
	f.StringVar(&o.Output.Results, "results", "", "file that gets the results as JSON")
	f.StringVar(&o.Output.Page, "page", "", "page whose generated part gets the results")
	f.StringVar(&o.from, "from", "", "measure nothing: show the results in this file")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return o.check(f.Args())
}

func (o *Options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%w: %q is not expected", ErrUsage, rest[0])
	case o.Output.Format != "text" && o.Output.Format != "json":
		return fmt.Errorf("%w: -o: must be text or json, got %q", ErrUsage, o.Output.Format)
	case o.Rounds < 1:
		return fmt.Errorf("%w: --rounds: must be at least 1, got %d", ErrUsage, o.Rounds)
	case o.Quick:
		o.Rounds = 1
	}
	return nil
}

// Chosen returns those that a comma-separated list names, in their own order;
// all if it is empty. The error names the flag and what there is.
func Chosen[T any](flag, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	var some []T
	var known []string
	for _, one := range all {
		known = append(known, name(one))
		if i := slices.Index(names, name(one)); i >= 0 {
			names = slices.Delete(names, i, i+1)
			some = append(some, one)
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("%w: --%s: no %q; there are: %s", ErrUsage, flag, names[0], strings.Join(known, ", "))
	}
	return some, nil
}

// A Measure adds to results the systems and rows that it measured. It may use a
// directory, which is removed afterwards.
type Measure func(ctx context.Context, dir string, r *report.Results) error

// Run measures, or takes the results of an earlier run, and shows them.
func (o Options) Run(ctx context.Context, out io.Writer, measure Measure) error {
	results, err := o.results(ctx, measure)
	if err != nil {
		return err
	}
	if err := o.Output.Show(results, out); err != nil {
		return err
	}
	if results.Short() {
		return ErrShort
	}
	return nil
}

func (o Options) results(ctx context.Context, measure Measure) (report.Results, error) {
	if o.from != "" {
		return report.Load(o.from)
	}
	if err := process.NeedFiles(o.Files); err != nil {
		return report.Results{}, err
	}
	dir, err := os.MkdirTemp(o.dir, o.Name+"-")
	if err != nil {
		return report.Results{}, err
	}
	r, err := o.measureIn(ctx, dir, measure)
	return r, errors.Join(err, os.RemoveAll(dir))
}

func (o Options) measureIn(ctx context.Context, dir string, measure Measure) (report.Results, error) {
	facts, err := machine.Look(dir)
	if err != nil {
		return report.Results{}, err
	}
	r := report.Results{Began: time.Now().UTC().Truncate(time.Second), Commit: report.Commit(ctx), Quick: o.Quick, Machine: facts}
	err = measure(ctx, dir, &r)
	r.Took = time.Since(r.Began)
	return r, err
}
