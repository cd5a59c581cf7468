package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/verdict"
)

// A row is one measurement.
type row struct {
	name, title, method string
	measure             func(context.Context, *scene) ([]report.Figure, error)
}

var allRows = []row{costRow, memoryRow, changeRow, startRow}

// A scene is what rows are given.
type scene struct {
	options
	place proxies.Place
	self  string
}

func benchmark(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	return o.Run(ctx, out, o.measure)
}

func (o options) measure(ctx context.Context, dir string, r *report.Results) (err error) {
	if r.Systems, err = systems(ctx, o.programs); err != nil {
		return err
	}
	backend, place, err := proxies.Backend(ctx, dir, 4)
	if err != nil {
		return err
	}
	defer backend.Stop()
	s := &scene{options: o, place: place}
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	for _, row := range o.rows {
		fmt.Fprintln(os.Stderr, o.Name+": measuring", row.name)
		figures, err := row.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("row %s: %w", row.name, err)
		}
		r.Rows = append(r.Rows, report.Row{Name: row.name, Title: row.title, Method: row.method, Figures: figures})
	}
	return nil
}

func systems(ctx context.Context, p proxies.Programs) (all []report.System, err error) {
	for _, proxy := range proxies.All(p) {
		version, err := proxy.Version(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, report.System{Name: proxy.Name, Version: version, Peer: proxy.Peer})
	}
	return all, nil
}

// samples are the values of each system, one a round.
type samples map[string][]float64

func (s samples) add(system string, value float64) { s[system] = append(s[system], value) }

// figure shows samples; those of system are held against the target.
func (s samples) figure(title, unit, system string, target verdict.Target) report.Figure {
	f := report.Figure{
		Name: strings.ReplaceAll(strings.ToLower(title), " ", "-"), Title: title, Unit: unit, Target: target,
		Systems: map[string]stat.Summary{}, Verdict: verdict.Verdict{Word: verdict.Open},
	}
	for name, values := range s {
		f.Systems[name] = stat.Summarize(values)
	}
	if ours, measured := f.Systems[system]; measured {
		f.Verdict = verdict.Judge(target, ours.Median, nil)
	}
	return f
}

// only is what one system's samples are by themselves.
func (s samples) only(system string) samples { return samples{system: s[system]} }

// over divides one system's samples by another's of the same round.
func (s samples) over(system, peer string) samples {
	ratios := samples{}
	for i, value := range s[system] {
		ratios.add(system, value/s[peer][i])
	}
	return ratios
}

func atMost(bound float64) verdict.Target { return verdict.Target{Better: verdict.Lower, Bound: bound} }

var none = verdict.Target{Better: verdict.Lower, Zero: true}
