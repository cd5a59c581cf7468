package clientrows

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/registry"
)

const (
	bigInstances = 100_000
	bigServices  = 5_000
	bigChanges   = 20_000
	mebibyte     = 1 << 20
)

// bigTable measures the routing table that a client of a whole realm holds.
func bigTable() Row {
	return Row{
		Name:  "table",
		Title: "One table of 100,000 instances in 5,000 services",
		Method: "The heap that the table adds once everything else is collected, and the time of one change (an instance's status) that makes the next table of it; " +
			"every string of every instance is one of its own, as if it came over the bus.",
		Figures: []Figure{
			{Name: "memory", Title: "memory", Unit: "MiB", Target: lower(60)},
			{Name: "change", Title: "a change applied", Unit: "µs", Target: lower(50)},
		},
		Measure: measureBigTable,
	}
}

// measureBigTable takes a second, so quick runs have the whole table too.
func measureBigTable(context.Context, Lab) (Values, error) {
	before := liveHeap()
	table := realm(bigInstances)
	memory := liveHeap() - before
	began := time.Now()
	for n := range bigChanges {
		in := bigInstance(n * 7 % table.Len())
		in.Status, in.Revision = registry.Warning, uint64(bigInstances+n)
		table = table.WithInstance(in)
	}
	took := time.Since(began)
	runtime.KeepAlive(table)
	v := Values{}
	v.set("memory", clients.Fairlead, float64(memory)/mebibyte)
	v.set("change", clients.Fairlead, microseconds(took)/bigChanges)
	return v, nil
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func realm(instances int) *registry.Table {
	services := make([]registry.ServiceSnapshot, bigServices)
	for i := range services {
		services[i] = registry.ServiceSnapshot{Name: serviceName(i), Revision: uint64(i + 1)}
	}
	for n := range instances {
		s := &services[n%bigServices]
		s.Instances = append(s.Instances, bigInstance(n))
	}
	return registry.NewTable("bench", "e1").WithServices(services)
}

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

func bigInstance(n int) registry.Instance {
	return registry.Instance{
		Service: serviceName(n % bigServices), ID: fmt.Sprintf("host%06d-5000", n), Incarnation: fmt.Sprintf("%016x", n),
		Scheme: "http", Host: fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), Port: 5000, Weight: 100,
		Health: "/health/ready", Version: "1.4.2", Zone: "a", Status: registry.Passing, Enabled: true, Revision: uint64(n + 1),
	}
}
