// Package clientrows has the measurements of HTTP clients, a file for each. A
// [Row] measures all systems itself, in turns so short that whatever else the
// machine does meets all of them; package clientsuite repeats and judges.
package clientrows

import (
	"context"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/verdict"
)

// A Lab is what rows need to start processes.
type Lab struct {
	// Self is this program, Dir where logs go.
	Self, Dir string
	// Systems are those to measure, plain among them where a row compares
	// with it.
	Systems []clients.System
	Quick   bool
}

// A Figure is one number of a row.
type Figure struct {
	Name   string
	Title  string
	Unit   string
	Target verdict.Target
	// Of is the system that is judged: fairlead if empty. Peers are the names
	// of those it is compared with; empty means all peers.
	Of    string
	Peers []string
}

// Values are what one round measured: by figure, then by system.
type Values map[string]map[string]float64

func (v Values) set(figure, system string, value float64) {
	if v[figure] == nil {
		v[figure] = map[string]float64{}
	}
	v[figure][system] = value
}

// A Row is one measurement.
type Row struct {
	Name       string
	Title      string
	Method     string
	Figures    []Figure
	RoundsMost int
	Measure    func(ctx context.Context, l Lab) (Values, error)
}

// All returns every row, in the order of the report.
func All() []Row {
	return []Row{picking(), roundTrips(), throughput(), bigTable(), slowInstance(), kills(), overload()}
}

func lower(bound float64) verdict.Target { return verdict.Target{Better: verdict.Lower, Bound: bound} }

func none() verdict.Target { return verdict.Target{Better: verdict.Lower, Zero: true} }

func informative(b verdict.Better) verdict.Target { return verdict.Target{Better: b} }

func pick[T any](quick bool, little, much T) T {
	if quick {
		return little
	}
	return much
}

// among returns those of the systems that have one of the names.
func (l Lab) among(names ...string) []clients.System {
	var some []clients.System
	for _, s := range l.Systems {
		for _, name := range names {
			if s.Name == name {
				some = append(some, s)
			}
		}
	}
	return some
}
