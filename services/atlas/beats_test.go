package atlas

import (
	"encoding/json"
	"testing"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

func beat(t *testing.T, conn *bus.Conn, k registry.Key, l registry.Lease, s registry.Status) {
	t.Helper()
	data, err := json.Marshal(protocol.HeartbeatMessage{Incarnation: l.Incarnation, Token: l.Token, Status: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.NATS().Publish(protocol.Subject(protocol.Beat, k), data); err != nil {
		t.Fatal(err)
	}
}

// beatUntil beats often, until it is done.
func beatUntil(t *testing.T, done <-chan struct{}, f func()) {
	t.Helper()
	tick := time.NewTicker(fastTerms.Every / 2)
	defer tick.Stop()
	for {
		f()
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}

func TestHeartbeatsWithoutAnAnswerKeepALease(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, fastTerms)
	kept, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	other := registry.Key{Realm: "local", Service: "identity", Instance: "other"}
	forged, err := register(t, b.app, other, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	forged.Token = "somebody else's guess"
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.until(t, "the forged one goes", b, other, gone)
	}()
	beatUntil(t, done, func() {
		beat(t, b.app, host001, kept, registry.Passing)
		beat(t, b.app, other, forged, registry.Passing)
	})
	if _, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance); !found {
		t.Error("the kept one went too")
	}
}

func TestAHeartbeatThatComesLateDoesNotUndoADrain(t *testing.T) {
	for name, late := range map[string]func(*testing.T, *realBus, registry.Lease) error{
		"alone": func(t *testing.T, b *realBus, l registry.Lease) error {
			beat(t, b.app, host001, l, registry.Passing)
			return heartbeat(t, b.app, host001, l, registry.Draining) // answered after that
		},
		"one of many": func(t *testing.T, b *realBus, l registry.Lease) error {
			return beatAsOneOfMany(t, b.app, l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBus(t, t.TempDir())
			n := startNode(t, b, Terms{})
			lease, err := register(t, b.app, host001, nowhere(t), "life-1")
			if err != nil {
				t.Fatal(err)
			}
			if err := heartbeat(t, b.app, host001, lease, registry.Draining); err != nil {
				t.Fatal(err)
			}
			if err := late(t, b, lease); err != nil {
				t.Fatal(err)
			}
			in, _ := n.tableFor(t, "local").Service("identity").Instance(host001.Instance)
			if in.Status != registry.Draining {
				t.Errorf("status %s", in.Status)
			}
		})
	}
}

func TestARequestMovesAnInstanceToItsConnection(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *bus.Conn, registry.Lease) error{
		"alone": func(t *testing.T, conn *bus.Conn, l registry.Lease) error {
			return heartbeat(t, conn, host001, l, registry.Passing)
		},
		"one of many": beatAsOneOfMany,
	} {
		t.Run(name, func(t *testing.T) {
			b := startBus(t, t.TempDir())
			n := startNode(t, b, Terms{Every: time.Hour, TTL: 3 * time.Hour})
			lease, err := register(t, b.app, host001, nowhere(t), "life-1")
			if err != nil {
				t.Fatal(err)
			}
			program := dial(t, bus.Options{URL: b.server.ClientURL()})
			if err := ask(t, program, lease); err != nil {
				t.Fatal(err)
			}
			program.Close()
			n.until(t, "evicted when the new connection closes", b, host001, gone)
		})
	}
}

// beatAsOneOfMany says that host001 passes.
func beatAsOneOfMany(t *testing.T, conn *bus.Conn, l registry.Lease) error {
	t.Helper()
	reply, err := beatTogether(t, conn, host001, together(host001, l, registry.Passing))
	if err == nil && len(reply.Refused) > 0 {
		err = reply.Refused[0].Problem
	}
	return err
}

func TestARegistrationThatOutlivesItsConnectionIsProbed(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{Every: time.Hour, TTL: 3 * time.Hour})
	program := dial(t, bus.Options{URL: b.server.ClientURL()})
	t.Cleanup(program.Close)
	client, err := program.NATS().GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	// As if its end were known before what it asked for is written.
	if err := n.ask(t.Context(), func(s *state) {
		s.connectionClosed(connID{program.NATS().ConnectedServerName(), client}, n.momentNow())
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := register(t, program, host001, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	n.until(t, "evicted though nothing closes any more", b, host001, gone)
}
