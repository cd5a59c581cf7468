package protocol

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// usual returns a realm as registrations make it: what copies of a service
// have in common is equal, ids, incarnations and times are each one's own.
func usual(services, instances int) registry.Snapshot {
	random := rand.New(rand.NewPCG(1, 2))
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 9}}
	s.Services = make([]registry.ServiceSnapshot, services)
	for i := range services {
		s.Services[i] = registry.ServiceSnapshot{Name: fmt.Sprintf("service%03d", i), Revision: 9}
	}
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range instances {
		service := &s.Services[i%services]
		service.Instances = append(service.Instances, registry.Instance{
			Service: service.Name, ID: fmt.Sprintf("host%06d", i), Scheme: "http",
			Host: "10.0." + fmt.Sprint(i>>8&0xff, ".", i&0xff), Port: 5000, Health: "/health/ready",
			Version: "1.0.0", Zone: "a", Weight: 100, Metadata: map[string]string{"git": "0123456789abcdef"},
			Incarnation: fmt.Sprintf("%016x", random.Uint64()), Status: registry.Passing, Enabled: true,
			Since: began.Add(time.Duration(random.Int64N(int64(time.Hour)))), Revision: uint64(i + 1),
		})
	}
	return s
}

// BenchmarkLoad is what a client does with a snapshot that has come: from the
// parts to the table.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := usual(100, n)
			parts := PackedParts(s.Realm, s.Revision, PackServices(s.Services))
			size := 0
			for _, p := range parts {
				size += len(p.Body)
			}
			s = registry.Snapshot{}
			b.ReportAllocs()
			began := processorTime(b)
			for b.Loop() {
				if load(b, parts).Len() != n {
					b.Fatal("instances are missing")
				}
			}
			b.ReportMetric(float64(processorTime(b)-began)/1e6/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(len(parts)), "parts")
			b.ReportMetric(float64(size)/float64(n), "B/instance")
		})
	}
}

func load(b *testing.B, parts []Part) *registry.Table {
	var j Joiner
	for _, p := range parts {
		if _, err := j.Add(p); err != nil {
			b.Fatal(err)
		}
	}
	s, err := j.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	return s.Table()
}

// processorTime is what this process used, all of its threads, the collector's
// included: it says more than the clock where others use the machine too.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
