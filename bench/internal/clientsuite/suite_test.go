package clientsuite

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"fairlead.dev/bench/internal/clientrows"
	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/verdict"
)

func TestRunJudgesTheMedianOfTheRounds(t *testing.T) {
	t.Parallel()
	rounds := []float64{1, 9, 2}
	row := clientrows.Row{
		Name:    "row",
		Figures: []clientrows.Figure{{Name: "f", Target: verdict.Target{Better: verdict.Lower, Bound: 3}}, {Name: "missing", Target: verdict.Target{Better: verdict.Lower, Bound: 3}}},
		Measure: func(context.Context, clientrows.Lab) (clientrows.Values, error) {
			value := rounds[0]
			rounds = rounds[1:]
			return clientrows.Values{"f": {clients.Fairlead: value, clients.Kratos: 2 * value}}, nil
		},
	}
	failing := clientrows.Row{
		Name: "failing", RoundsMost: 1, Figures: row.Figures[:1],
		Measure: func(context.Context, clientrows.Lab) (clientrows.Values, error) { return nil, errors.New("no") },
	}
	got, err := Run(t.Context(), Options{
		Lab: clientrows.Lab{Systems: clients.All()}, Rows: []clientrows.Row{row, failing}, Rounds: 3, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	f := got[0].Figures[0]
	if f.Word != verdict.Reached || f.Systems[clients.Fairlead].Median != 2 || f.Peer != clients.Kratos || f.Ratio != 0.5 {
		t.Errorf("got %+v", f)
	}
	if missing := got[0].Figures[1]; missing.Word != verdict.Short {
		t.Errorf("a figure that was not measured is %s", missing.Word)
	}
	if failed := got[1]; failed.Figures[0].Word != verdict.Short || len(failed.Failures) != 1 {
		t.Errorf("a row that failed: %+v", failed)
	}
}
