package haproxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/builtin"
)

// realmOf returns a table of services with so many instances each.
func realmOf(services, instances int) *registry.Table {
	var all []registry.ServiceSnapshot
	for s := range services {
		snapshot := registry.ServiceSnapshot{Name: fmt.Sprintf("service-%d", s), Revision: 1}
		for i := range instances {
			snapshot.Instances = append(snapshot.Instances, registry.Instance{
				Service: snapshot.Name, ID: fmt.Sprintf("host%03d-5000", i), Scheme: "http", Host: fmt.Sprintf("127.1.%d.%d", s/250, i+1), Port: 5000,
				Weight: 100, Status: registry.Passing, Enabled: true, Revision: 1,
			})
		}
		all = append(all, snapshot)
	}
	return registry.NewTable("local", "e").WithServices(all).From(registry.Live, time.Now())
}

// BenchmarkApply switches one instance of 500 services of 20 off and on.
func BenchmarkApply(b *testing.B) {
	plane, stop := benchPlane(b, realmOf(500, 20))
	defer stop()
	table := realmOf(500, 20)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		in := *table.Service("service-7").Find("host003-5000")
		in.Enabled = !in.Enabled
		in.Revision++
		table = table.WithInstance(in)
		began := time.Now()
		if err := plane.Apply(b.Context(), table); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkStart is the time from nothing to 10,000 instances served.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		_, stop := benchPlane(b, realmOf(500, 20))
		stop()
	}
}

// BenchmarkObserve is one comparison of 10,000 servers.
func BenchmarkObserve(b *testing.B) {
	plane, stop := benchPlane(b, realmOf(500, 20))
	defer stop()
	for b.Loop() {
		if _, err := observe(b.Context(), plane.api); err != nil {
			b.Fatal(err)
		}
	}
}

func benchPlane(b *testing.B, table *registry.Table) (*Plane, func()) {
	b.Helper()
	data, err := os.MkdirTemp("", "fl-haproxy")
	if err != nil {
		b.Fatal(err)
	}
	aside, err := builtin.New(builtin.Options{Realm: "local"})
	if err != nil {
		b.Fatal(err)
	}
	plane, err := New(Options{Realm: "local", Addr: "127.0.0.1:0", Data: data, Aside: aside, Grace: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	if err := plane.Apply(b.Context(), table); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- plane.Run(ctx) }()
	select {
	case <-plane.Up():
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
	case err := <-ended:
		b.Fatal(err)
	}
	return plane, func() {
		cancel()
		<-ended
		_ = os.RemoveAll(data)
	}
}
