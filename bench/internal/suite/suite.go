// Package suite runs rows on systems: round by round, the systems in turn, so
// that whatever else the machine does meets all of them.
//
//	results, err := suite.Run(ctx, suite.Options{Lab: l, Systems: all, Rows: rows.All(), Rounds: 3})
package suite

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/rows"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
)

// Ours is the system whose figures are judged.
const Ours = "fairlead"

// Options of a run. All but Quick are required.
type Options struct {
	Lab     *lab.Lab
	Systems []systems.System
	Rows    []rows.Row
	Rounds  int
	Quick   bool
	Logger  *slog.Logger
}

// measurementMost bounds one round of one row on one system.
const measurementMost = 8 * time.Minute

// Run measures everything. A system that fails is noted and does not end the
// run; the end of ctx does.
func Run(ctx context.Context, opts Options) ([]report.Row, error) {
	var all []report.Row
	for _, row := range opts.Rows {
		measured, err := opts.row(ctx, row)
		if err != nil {
			return all, err
		}
		all = append(all, measured)
	}
	return all, nil
}

// samples are the values of a row's rounds, by system.
type samples map[string][]rows.Values

func (o Options) row(ctx context.Context, row rows.Row) (report.Row, error) {
	measured, failures := samples{}, map[string][]string{}
	rounds := o.Rounds
	if row.RoundsMost > 0 {
		rounds = min(rounds, row.RoundsMost)
	}
	for round := range rounds {
		for _, s := range turned(o.Systems, round) {
			if !row.Fits(s.Name()) {
				continue
			}
			values, err := o.once(ctx, row, s)
			if ctx.Err() != nil {
				return report.Row{}, ctx.Err()
			}
			if err != nil {
				o.Logger.Warn("failed", "row", row.Name, "round", round+1, "system", s.Name(), "error", err)
				failures[s.Name()] = append(failures[s.Name()], err.Error())
				continue
			}
			o.Logger.Info("measured", "row", row.Name, "round", round+1, "system", s.Name(), "values", fmt.Sprint(values))
			measured[s.Name()] = append(measured[s.Name()], values)
		}
	}
	return o.judge(row, measured, failures), nil
}

// turned begins with another system each round.
func turned[T any](all []T, round int) []T {
	if len(all) == 0 {
		return nil
	}
	at := round % len(all)
	return append(append([]T{}, all[at:]...), all[:at]...)
}

func (o Options) once(ctx context.Context, row rows.Row, s systems.System) (values rows.Values, err error) {
	ctx, cancel := context.WithTimeout(ctx, measurementMost)
	defer cancel()
	b, err := o.Lab.Open(ctx, s, row.Terms)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := b.Close(); err == nil {
			err = closeErr
		}
	}()
	return row.Measure(ctx, b, o.Quick)
}

func (o Options) judge(row rows.Row, measured samples, failures map[string][]string) report.Row {
	r := report.Row{Name: row.Name, Title: row.Title, Method: row.Method}
	if len(failures) > 0 {
		r.Failures = failures
	}
	for _, f := range row.Figures {
		r.Figures = append(r.Figures, o.figure(f, measured))
	}
	return r
}

func (o Options) figure(f rows.Figure, measured samples) report.Figure {
	out := report.Figure{Name: f.Name, Title: f.Title, Unit: f.Unit, Target: f.Target, Systems: map[string]stat.Summary{}}
	peers := map[string]float64{}
	for _, s := range o.Systems {
		values := valuesOf(measured[s.Name()], f.Name)
		if len(values) == 0 {
			continue
		}
		summary := stat.Summarize(values)
		out.Systems[s.Name()] = summary
		if s.Peer() {
			peers[s.Name()] = summary.Median
		}
	}
	ours, found := out.Systems[Ours]
	out.Verdict = verdict.Judge(f.Target, ours.Median, peers)
	if !found && out.Word != verdict.Open {
		out.Word, out.Ratio = verdict.Short, 0
	}
	return out
}

func valuesOf(rounds []rows.Values, figure string) []float64 {
	var values []float64
	for _, v := range rounds {
		values = append(values, v[figure])
	}
	return values
}
