package atlasclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// beating is a fixture whose Atlas takes so many heartbeats in a message, and
// tells of each that it hears.
func beating(t *testing.T, most int) (*fixture, <-chan *nats.Msg) {
	t.Helper()
	f := start(t)
	heard := make(chan *nats.Msg, 1024)
	f.answer("atlas.v1.register.>", func(m *nats.Msg) {
		body, _ := json.Marshal(protocol.LeaseReply{HeartbeatMS: 2000, LeaseMS: 6000, Beats: most})
		_ = m.Respond(body)
	})
	f.answer("atlas.v1.beat.>", func(m *nats.Msg) { heard <- m })
	return f, heard
}

func (f *fixture) register(keys ...registry.Key) {
	f.Helper()
	for _, k := range keys {
		if _, err := f.client.Register(f.Context(), k, registry.Registration{Host: "10.0.0.7", Port: 5000}, registry.Life{}); err != nil {
			f.Fatal(err)
		}
	}
}

func hosts(n int) (keys []registry.Key) {
	for i := range n {
		keys = append(keys, registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprintf("host%03d", i)})
	}
	return keys
}

// instancesOf returns for how many instances a message speaks.
func instancesOf(m *nats.Msg) int {
	var many protocol.BeatsMessage
	_ = json.Unmarshal(m.Data, &many)
	return max(len(many.Beats), 1)
}

var passing = registry.Heartbeat{Incarnation: "life", Token: "token", Status: registry.Passing}

func TestHeartbeatsOfManyTravelTogether(t *testing.T) {
	f, heard := beating(t, protocol.BeatsMost)
	keys := hosts(300)
	f.register(keys...)
	for _, k := range keys {
		if err := f.client.Beat(k, passing); err != nil {
			t.Fatal(err)
		}
	}
	messages := 0
	for instances := 0; instances < len(keys); messages++ {
		m := <-heard
		if instances += instancesOf(m); instancesOf(m) > 1 && m.Subject != protocol.Subject(protocol.Beat, keys[0]) {
			t.Errorf("came on %s", m.Subject)
		}
	}
	if messages > 10 {
		t.Errorf("%d messages", messages)
	}
}

func TestOneInstanceWaitsForNobody(t *testing.T) {
	f, heard := beating(t, protocol.BeatsMost)
	f.register(host001)
	for range 10 {
		if err := f.client.Beat(host001, passing); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		default:
			if err := f.conn.NATS().Flush(); err != nil {
				t.Fatal(err)
			}
			if m := <-heard; instancesOf(m) != 1 || m.Subject != protocol.Subject(protocol.Beat, host001) {
				t.Errorf("%s on %s", m.Data, m.Subject)
			}
		}
	}
	if f.client.pulse.waiting != nil {
		t.Error("one waits")
	}
}

func TestNewsIsNotKeptWaiting(t *testing.T) {
	f, heard := beating(t, protocol.BeatsMost)
	keys := hosts(3)
	f.register(keys...)
	for _, k := range keys {
		if err := f.client.Beat(k, passing); err != nil {
			t.Fatal(err)
		}
	}
	draining := passing
	draining.Status = registry.Draining
	if err := f.client.Beat(keys[1], draining); err != nil {
		t.Fatal(err)
	}
	for _, want := range []registry.Key{keys[0], keys[1]} {
		if m := <-heard; m.Subject != protocol.Subject(protocol.Beat, want) {
			t.Errorf("%s on %s, want that of %s", m.Data, m.Subject, want)
		}
	}
	// What waited of it is out of date.
	if m := <-heard; instancesOf(m) != 1 {
		t.Errorf("then came %s", m.Data)
	}
}

func TestEachOfManyLearnsItsOwnAnswer(t *testing.T) {
	f, _ := beating(t, protocol.BeatsMost)
	keys := hosts(5)
	f.register(keys...)
	f.answer("atlas.v1.heartbeat.>", func(m *nats.Msg) {
		var many protocol.BeatsMessage
		var reply protocol.BeatsReply
		_ = json.Unmarshal(m.Data, &many)
		for _, b := range many.Beats {
			if b.Instance == keys[3].Instance {
				reply.Refused = append(reply.Refused, protocol.RefusedBeat{Service: b.Service, Instance: b.Instance, Problem: protocol.NewProblem(registry.ErrUnknown)})
			}
		}
		body, _ := json.Marshal(reply)
		_ = m.Respond(body)
	})
	if err := f.client.Heartbeat(t.Context(), keys[0], passing); err != nil { // alone
		t.Fatal(err)
	}
	errs := f.heartbeats(keys[1:])
	for i, k := range keys[1:] {
		if errors.Is(errs[i], registry.ErrUnknown) != (k == keys[3]) || errs[i] != nil && k != keys[3] {
			t.Errorf("%s: %v", k, errs[i])
		}
	}
}

// heartbeats asks for all at once.
func (f *fixture) heartbeats(keys []registry.Key) []error {
	errs := make([]error, len(keys))
	var all errgroup.Group
	for i, k := range keys {
		all.Go(func() error { errs[i] = f.client.Heartbeat(f.Context(), k, passing); return nil })
	}
	_ = all.Wait()
	return errs
}

// An Atlas of an earlier version reads a message of many as a heartbeat of one
// without an incarnation, and refuses it.
func TestAnOlderAtlasIsAskedOneByOne(t *testing.T) {
	f, heard := beating(t, protocol.BeatsMost)
	keys := hosts(4)
	f.register(keys...)
	f.answer("atlas.v1.heartbeat.>", func(m *nats.Msg) {
		if instancesOf(m) > 1 {
			body, _ := json.Marshal(protocol.NewProblem(registry.ErrStale))
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"409"}}, Data: body})
			return
		}
		_ = m.Respond([]byte("{}"))
	})
	for i, err := range f.heartbeats(keys) {
		if err != nil {
			t.Errorf("%s: %v", keys[i], err)
		}
	}
	for _, k := range keys {
		if err := f.client.Beat(k, passing); err != nil {
			t.Fatal(err)
		}
		if m := <-heard; m.Subject != protocol.Subject(protocol.Beat, k) {
			t.Errorf("came on %s", m.Subject)
		}
	}
}

func TestNothingIsGatheredForAnAtlasThatDoesNotSayThatItTakesIt(t *testing.T) {
	f, heard := beating(t, 0)
	keys := hosts(4)
	f.register(keys...)
	for _, k := range keys {
		if err := f.client.Beat(k, passing); err != nil {
			t.Fatal(err)
		}
		if m := <-heard; m.Subject != protocol.Subject(protocol.Beat, k) {
			t.Errorf("came on %s", m.Subject)
		}
	}
}
