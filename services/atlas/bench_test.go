package atlas

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/protocol"
)

// BenchmarkRegister tells durable registrations a second, by many registrars
// at once over one connection.
func BenchmarkRegister(b *testing.B) {
	for _, registrars := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("registrars=%d", registrars), func(b *testing.B) {
			bus := startBus(b, b.TempDir())
			startNode(b, bus, Terms{})
			client := atlasclient.New(bus.app, atlasclient.Options{Logger: quiet()})
			b.ResetTimer()
			registerMany(b, client, b.N, registrars)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "registrations/s")
		})
	}
}

// BenchmarkLoad tells how long a node takes to know 10,000 instances again.
func BenchmarkLoad(b *testing.B) {
	const instances = 10_000
	bus := startBus(b, b.TempDir())
	n := startNode(b, bus, Terms{})
	registerMany(b, atlasclient.New(bus.app, atlasclient.Options{Logger: quiet()}), instances, 256)
	for b.Loop() {
		m, _, _, err := n.reread(context.Background(), 0, "")
		if err != nil || m.table("local").Len() != instances {
			b.Fatalf("%d instances, %v", m.table("local").Len(), err)
		}
	}
}

// BenchmarkReplay is the replay of one service's 4,000 instances with three
// entries each, without the bus: its cost has to grow with the entries alone.
func BenchmarkReplay(b *testing.B) {
	const instances, each = 4000, 3
	for b.Loop() {
		m, seq := newReplay(), uint64(0)
		for round := range each {
			for i := range instances {
				seq++
				m.apply(entry{
					key:   fmt.Sprintf("hosts.local.identity.host-%d", i),
					value: []byte(lifeAt(1000+i, fmt.Sprint(round), "")), seq: seq,
				})
			}
		}
		m.finish()
		if n := m.table("local").Len(); n != instances {
			b.Fatalf("%d instances", n)
		}
	}
}

// BenchmarkApply is one change of the model, in a realm of 10,000 instances in
// 500 services.
func BenchmarkApply(b *testing.B) {
	m := newModel()
	seq := uint64(0)
	put := func(i int, token string) {
		seq++
		m.apply(entry{
			key:   fmt.Sprintf("hosts.local.service-%d.host-%d", i%500, i),
			value: []byte(lifeAt(1000+i%60000, token, "")), seq: seq,
		})
	}
	for i := range 10_000 {
		put(i, "a")
	}
	i := 0
	for b.Loop() {
		put(i%10_000, fmt.Sprint(i))
		i++
	}
}

func registerMany(b *testing.B, client *atlasclient.Client, count, registrars int) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range registrars {
		all.Go(func() {
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				k := registry.Key{Realm: "local", Service: fmt.Sprintf("service-%d", i%500), Instance: fmt.Sprintf("host-%d", i)}
				r := registry.Registration{Host: "127.0.0.1", Port: int(1000 + i%60000)}.WithDefaults()
				if _, err := client.Register(context.Background(), k, r, registry.Life{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkRenew is the short way of a heartbeat, among 100,000 leases.
func BenchmarkRenew(b *testing.B) {
	const leases = 100_000
	n := &Node{leases: newLeaseIndex()}
	subjects, bodies := make([]string, leases), make([][]byte, leases)
	for i := range leases {
		k := registry.Key{Realm: "local", Service: fmt.Sprintf("service-%d", i%500), Instance: fmt.Sprintf("host-%d", i)}
		life := registry.Life{}.WithDefaults()
		l := &lease{key: k}
		l.record.Store(&record{Atlas: atlasPart{Status: registry.Passing, Incarnation: life.Incarnation, TokenHash: hashToken(life.Token)}})
		n.leases.put(l)
		subjects[i] = protocol.Subject(protocol.Beat, k)
		bodies[i], _ = json.Marshal(protocol.HeartbeatMessage{
			Incarnation: life.Incarnation, Token: life.Token, Status: registry.Passing, InFlight: 3, Load: 0.25,
		})
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if !n.renew(subjects[i%leases], bodies[i%leases], requester{}) {
			b.Fatal("not renewed")
		}
		i += 7919
	}
}
