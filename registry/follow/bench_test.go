package follow

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"fairlead.dev/registry"
)

// still is a source whose one snapshot never changes.
type still struct{ snapshot registry.Snapshot }

func (still) Listen(registry.Interest, func(registry.Update)) (func(), error) {
	return func() {}, nil
}

func (s still) Snapshot(context.Context, registry.Interest) (registry.Snapshot, error) {
	return s.snapshot, nil
}

func stillRealm(services, each int) still {
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 9}}
	for i := range services {
		one := registry.ServiceSnapshot{Name: fmt.Sprint("service-", i), Revision: 9}
		for j := range each {
			one.Instances = append(one.Instances, registry.Instance{
				Service: one.Name, ID: fmt.Sprintf("host%05d-5000", j), Host: "10.0.0.7", Port: 5000,
				Metadata: map[string]string{"git": "4f2a9c"}, Status: registry.Passing, Enabled: true,
			})
		}
		s.Services = append(s.Services, one)
	}
	return still{s}
}

// BenchmarkFresh is what a fresh table of 10,000 instances costs once its
// snapshot is there.
func BenchmarkFresh(b *testing.B) {
	source := stillRealm(500, 20)
	b.ReportAllocs()
	for b.Loop() {
		f := New(Options{Source: source, Realm: "local", WholeRealm: true, Logger: slog.New(slog.DiscardHandler)})
		f.Start()
		if err := f.Ready(context.Background()); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

// BenchmarkChange is one change heard by a table of 100,000 instances in 5,000
// services.
func BenchmarkChange(b *testing.B) {
	source := stillRealm(5000, 20)
	table := registry.NewTable("local", "e").WithServices(source.snapshot.Services)
	in := source.snapshot.Services[7].Instances[3]
	revision := uint64(9)
	b.ReportAllocs()
	for b.Loop() {
		var fits bool
		table, fits = apply(table, 9, &registry.Changes{Service: in.Service, Changes: []registry.Change{
			{Revision: revision + 1, Previous: revision, Instance: &in},
		}})
		if !fits {
			b.Fatal("a gap")
		}
		revision++
	}
}

// BenchmarkFlips is a message with flags heard by who follows one service.
func BenchmarkFlips(b *testing.B) {
	for _, size := range []struct{ instances, flips int }{{20, 1}, {128, 50}} {
		b.Run(fmt.Sprintf("%d-of-%d", size.flips, size.instances), func(b *testing.B) {
			benchmarkFlips(b, size.instances, size.flips)
		})
	}
}

func benchmarkFlips(b *testing.B, instances, flips int) {
	source := stillRealm(1, instances)
	f := New(Options{Source: source, Realm: "local", Services: []string{"service-0"}, Logger: slog.New(slog.DiscardHandler)})
	f.Start()
	defer f.Close()
	if err := f.Ready(context.Background()); err != nil {
		b.Fatal(err)
	}
	feed, revision := f.own.feeds["service-0"], uint64(9)
	changes := registry.Changes{Epoch: "e", Realm: "local", Service: "service-0"}
	for i := range flips {
		c := registry.Condition{ID: fmt.Sprintf("host%05d-5000", i*instances/flips), Status: registry.Passing}
		changes.Changes = append(changes.Changes, registry.Change{Condition: &c})
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range changes.Changes {
			changes.Changes[i].Revision, changes.Changes[i].Previous = revision+1, revision
			revision++
		}
		f.bring(feed, registry.Update{Changes: &changes})
	}
	if table, _ := f.Table(); table.Revision.Sequence < revision-uint64(flips) {
		b.Fatal("not applied at once: ", table.Revision)
	}
}
