package atlas

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/schemas"
	"fairlead.dev/schemas/validate"
)

func TestEveryChangeIsOneEvent(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	validator, err := validate.New()
	if err != nil {
		t.Fatal(err)
	}
	next := b.feedMessages(t, "feed.v1.local.identity.>")
	lease, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001), protocol.FlagRequest{Flag: &registry.Flag{}})
	_ = heartbeat(t, b.app, host001, lease, registry.Warning)
	_, _ = ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, host001),
		protocol.DeregisterRequest{Incarnation: lease.Incarnation, Token: lease.Token})
	for _, want := range []schemas.Type{
		schemas.TypeInstanceRegistered, schemas.TypeInstanceDisabled,
		schemas.TypeInstanceStatusChanged, schemas.TypeInstanceDeregistered,
	} {
		e := next(t)
		if schemas.Type(e.Type()) != want {
			t.Errorf("got %s, want %s", e.Type(), want)
		}
		if err := validator.Data(schemas.Type(e.Type()), e.Data()); err != nil {
			t.Error(err)
		}
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashKeptFromBeingAnnouncedIsAnnouncedAtTheNextStart(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	next := b.feedMessages(t, "feed.v1.local.identity.>")
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	next(t)
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Written while no node runs, as by one that died between the two.
	if _, err := bucketOf(t, b).PutString(t.Context(), "hosts.local.identity.host001-5000.enabled", "false"); err != nil {
		t.Fatal(err)
	}
	startNode(t, b, Terms{})
	if e := next(t); schemas.Type(e.Type()) != schemas.TypeInstanceDisabled {
		t.Errorf("announced %s", e.Type())
	}
	js, err := jetstream.New(b.atlas.NATS())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 2 {
		t.Errorf("%d events are stored, want one for each of two changes", got)
	}
}

func TestARestartKeepsRegistrationsAndFlags(t *testing.T) {
	dir := t.TempDir()
	first := startBus(t, dir)
	n := startNode(t, first, Terms{})
	lease, err := register(t, first.app, host001, endpoint(t, host001, "life-1"), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[protocol.RevisionReply](t, first.app, protocol.Subject(protocol.Flag, host001),
		protocol.FlagRequest{Flag: &registry.Flag{Reason: "why"}}); err != nil {
		t.Fatal(err)
	}
	before := n.tableFor(t, "local")
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.stop()
	second := startBus(t, dir)
	n = startNode(t, second, Terms{})
	after := n.tableFor(t, "local")
	if after.Hash() != before.Hash() || after.Revision != before.Revision {
		t.Errorf("before %+v, after %+v", before.Service("identity"), after.Service("identity"))
	}
	if err := heartbeat(t, second.app, host001, lease, registry.Passing); err != nil {
		t.Errorf("a heartbeat with the old token: %v", err)
	}
}

func TestAFlagEndsByItself(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	next := b.feedMessages(t, "feed.v1.local.identity.instance.enabled")
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001),
		protocol.FlagRequest{Flag: &registry.Flag{Until: time.Now().Add(300 * time.Millisecond)}}); err != nil {
		t.Fatal(err)
	}
	in := n.until(t, "disabled", b, host001, func(in registry.Instance, found bool) bool { return found })
	if in.Enabled {
		t.Error("the flag did not take effect")
	}
	n.until(t, "enabled again", b, host001, func(in registry.Instance, _ bool) bool { return in.Enabled })
	var data schemas.InstanceEnabled
	if err := json.Unmarshal(next(t).Data(), &data); err != nil || data.Cause != causeExpired {
		t.Errorf("%+v %v", data, err)
	}
}

func TestMissedEntriesAreReadAgain(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	lost := make(chan struct{})
	if err := n.ask(t.Context(), func(s *state) {
		// As if the bus had dropped what follows.
		s.model.seq -= 1
		close(lost)
	}); err != nil {
		t.Fatal(err)
	}
	<-lost
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	if n.tableFor(t, "local").Len() != 1 {
		t.Error("not listed")
	}
}

// feedMessages listens for stored events; the result waits for the next one.
func (b *realBus) feedMessages(t *testing.T, subject string) func(*testing.T) event.Event {
	t.Helper()
	events := make(chan event.Event, 64)
	sub, err := b.app.Subscribe(subject, func(_ context.Context, d bus.Delivery) { events <- d.Event })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return func(t *testing.T) event.Event {
		t.Helper()
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			t.Fatalf("%s: no event", subject)
			panic("unreachable")
		}
	}
}
