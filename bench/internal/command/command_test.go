package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"fairlead.dev/bench/internal/report"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		nil: 0, ErrShort: exitShort, ErrUsage: exitUsage, errors.New("other"): exitFailed,
		fmt.Errorf("%w: %w", ErrUsage, flag.ErrHelp): 0,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exitCode(%v) = %d, want %d", err, got, want)
		}
	}
}

func parse(o *Options, args ...string) error {
	f := flag.NewFlagSet("bench-test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return o.Parse(f, args)
}

func TestParse(t *testing.T) {
	t.Parallel()
	o := Options{Rounds: 7}
	if err := parse(&o); err != nil || o.Rounds != 7 || o.Output.Format != "text" {
		t.Errorf("without flags: %+v, %v", o, err)
	}
	if err := parse(&o, "--quick", "-o", "json"); err != nil || o.Rounds != 1 || !o.Quick || o.Output.Format != "json" {
		t.Errorf("quick: %+v, %v", o, err)
	}
	for _, args := range [][]string{{"--rounds", "0"}, {"-o", "xml"}, {"--wrong"}, {"extra"}} {
		if err := parse(&Options{Rounds: 1}, args...); !errors.Is(err, ErrUsage) {
			t.Errorf("parse(%q) = %v, want %v", args, err, ErrUsage)
		}
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	all, name := []string{"a", "b", "c"}, func(s string) string { return s }
	for list, want := range map[string][]string{"": all, "c,a": {"a", "c"}} {
		if got, err := Chosen("rows", list, all, name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"d", "a,a"} {
		if _, err := Chosen("rows", list, all, name); !errors.Is(err, ErrUsage) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// What was measured and saved once is shown again.
func TestRun(t *testing.T) {
	t.Parallel()
	o := Options{Name: "bench-test", Rounds: 1}
	saved := filepath.Join(t.TempDir(), "results.json")
	if err := parse(&o, "--dir", t.TempDir(), "--results", saved); err != nil {
		t.Fatal(err)
	}
	measured := 0
	measure := func(_ context.Context, dir string, r *report.Results) error {
		measured++
		r.Systems = []report.System{{Name: filepath.Base(filepath.Dir(dir))}}
		return nil
	}
	if err := o.Run(t.Context(), io.Discard, measure); err != nil {
		t.Fatal(err)
	}
	again := Options{Rounds: 1}
	if err := parse(&again, "--from", saved); err != nil {
		t.Fatal(err)
	}
	if err := again.Run(t.Context(), io.Discard, measure); err != nil || measured != 1 {
		t.Errorf("measured %d times: %v", measured, err)
	}
	failed := errors.New("failed")
	if err := o.Run(t.Context(), io.Discard, func(context.Context, string, *report.Results) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}
