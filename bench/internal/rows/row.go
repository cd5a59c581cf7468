// Package rows has the measurements of registries, a file for each kind. A
// [Row] is measured on one running system at a time and yields figures; which
// systems, how often and in which order is package suite's.
package rows

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/systems"
	"fairlead.dev/bench/internal/verdict"
)

// A Figure is one number of a row.
type Figure struct {
	Name   string
	Title  string
	Unit   string
	Target verdict.Target
}

// Values are a row's figures by name, as one round measured them.
type Values map[string]float64

// A Row is one measurement.
type Row struct {
	Name  string
	Title string
	// Method says what is done, in a sentence or two.
	Method  string
	Figures []Figure
	// RoundsMost bounds the rounds of rows that take long; 0 is no bound.
	RoundsMost int
	// Only names the systems that it makes sense for; empty is all.
	Only []string
	// Terms of the registrations.
	Terms systems.Terms
	// Measure measures one round. With quick it does less of everything, to
	// see whether it works: its figures mean little.
	Measure func(ctx context.Context, b *lab.Bench, quick bool) (Values, error)
}

// Fits tells whether the row is measured on a system.
func (r Row) Fits(system string) bool { return len(r.Only) == 0 || slices.Contains(r.Only, system) }

// All returns every row, in the order of the report.
func All() []Row {
	return []Row{
		flip("flip-20", 20, 0.7, 0.7),
		flip("flip-1000", 1000, 0, 0.85),
		sustained(),
		registrations(64, 1),
		registrations(256, 1.5),
		tables10k(),
		tables100k(),
		heartbeats(),
		memory(1000),
		memory(5000),
		restart(),
		kill(),
	}
}

// service is what rows about one service use.
const service = "orders"

// instances returns n instances of one service.
func instances(service, prefix string, n int) []systems.Instance {
	all := make([]systems.Instance, n)
	for i := range all {
		all[i] = systems.Instance{Service: service, ID: fmt.Sprintf("%s%06d", prefix, i)}
	}
	return all
}

// realm returns n instances, spread over services.
func realm(services, n int) []systems.Instance {
	all := make([]systems.Instance, n)
	for i := range all {
		all[i] = systems.Instance{Service: fmt.Sprintf("service%03d", i%services), ID: fmt.Sprintf("host%06d", i)}
	}
	return all
}

// truth is what tables are to hold of instances.
func truth(all []systems.Instance, state systems.State) map[systems.Key]systems.State {
	m := make(map[systems.Key]systems.State, len(all))
	for _, in := range all {
		m[in.Key()] = state
	}
	return m
}

func pick[T any](quick bool, little, much T) T {
	if quick {
		return little
	}
	return much
}

// rest lets what the set-up left behind come to an end.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
