// Package clientsuite runs the rows of clients round by round, and judges.
package clientsuite

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/report"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/verdict"
)

// Options of a run.
type Options struct {
	Lab    clientrows.Lab
	Rows   []clientrows.Row
	Rounds int
	Logger *slog.Logger
}

// rowMost bounds one round of one row.
const rowMost = 10 * time.Minute

// Run measures everything. A row that fails is noted, its figures are short,
// and the run goes on; the end of ctx ends it.
func Run(ctx context.Context, o Options) ([]report.Row, error) {
	var all []report.Row
	for _, row := range o.Rows {
		all = append(all, o.row(ctx, row))
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
	}
	return all, nil
}

// samples are the values of a row's rounds: by figure, then by system.
type samples map[string]map[string][]float64

func (o Options) row(ctx context.Context, row clientrows.Row) report.Row {
	rounds := o.Rounds
	if row.RoundsMost > 0 {
		rounds = min(rounds, row.RoundsMost)
	}
	r := report.Row{Name: row.Name, Title: row.Title, Method: row.Method}
	measured := samples{}
	for round := range rounds {
		values, err := o.once(ctx, row)
		if err != nil {
			o.Logger.Warn("failed", "row", row.Name, "round", round+1, "error", err)
			r.Failures = map[string][]string{clients.Fairlead: append(r.Failures[clients.Fairlead], err.Error())}
			continue
		}
		o.Logger.Info("measured", "row", row.Name, "round", round+1, "values", fmt.Sprint(values))
		measured.add(values)
	}
	for _, f := range row.Figures {
		r.Figures = append(r.Figures, o.figure(f, measured[f.Name]))
	}
	return r
}

// once begins with an empty heap: what a row leaves behind is not for the next
// one to collect.
func (o Options) once(ctx context.Context, row clientrows.Row) (clientrows.Values, error) {
	debug.FreeOSMemory()
	ctx, cancel := context.WithTimeout(ctx, rowMost)
	defer cancel()
	return row.Measure(ctx, o.Lab)
}

func (s samples) add(v clientrows.Values) {
	for figure, systems := range v {
		if s[figure] == nil {
			s[figure] = map[string][]float64{}
		}
		for system, value := range systems {
			s[figure][system] = append(s[figure][system], value)
		}
	}
}

func (o Options) figure(f clientrows.Figure, measured map[string][]float64) report.Figure {
	out := report.Figure{Name: f.Name, Title: f.Title, Unit: f.Unit, Target: f.Target, Systems: map[string]stat.Summary{}}
	of := f.Of
	if of == "" {
		of = clients.Fairlead
	}
	peers := map[string]float64{}
	for _, s := range o.Lab.Systems {
		values := measured[s.Name]
		judged := s.Name == of
		shown := judged || slices.Contains(f.Peers, s.Name) || len(f.Peers) == 0
		if len(values) == 0 || !shown {
			continue
		}
		out.Systems[s.Name] = stat.Summarize(values)
		if s.Peer && !judged {
			peers[s.Name] = out.Systems[s.Name].Median
		}
	}
	ours, found := out.Systems[of]
	out.Verdict = verdict.Judge(f.Target, ours.Median, peers)
	if !found && out.Word != verdict.Open {
		out.Word, out.Ratio = verdict.Short, 0
	}
	return out
}
