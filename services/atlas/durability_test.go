package atlas

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
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
	js := b.streams(t)
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
	b.heard(t)
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

func TestAProgramCannotTakeThePlaceOfAnEvent(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	status, err := n.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := b.feedMessages(t, "feed.v1.local.identity.instance.>")
	// Everything that a program can know of the next event's id.
	for i := range uint64(5) {
		forged := event.New()
		forged.SetSource(eventSource)
		forged.SetType("com.example.forged")
		forged.SetID(eventID("", status.Revision.Epoch, status.Revision.Sequence+i, "0"))
		if _, err := b.app.Publish(t.Context(), "events.v1.local.identity.forged", forged); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := register(t, b.app, host001, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	if e := next(t); schemas.Type(e.Type()) != schemas.TypeInstanceRegistered {
		t.Errorf("announced %s", e.Type())
	}
}

func TestEventsComeInTheOrderOfTheirRevisionsAndEachOnce(t *testing.T) {
	const instances = 300
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	next := b.feedMessages(t, "feed.v1.local.identity.>")
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	var all sync.WaitGroup
	for i := range instances {
		all.Go(func() {
			k := registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprintf("host-%d", i)}
			if _, err := client.Register(t.Context(), k, registry.Registration{Host: "127.0.0.1", Port: 1 + i}, registry.Life{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	last := uint64(0)
	for range instances {
		var about schemas.AboutInstance
		if err := json.Unmarshal(next(t).Data(), &about); err != nil || about.Revision.Sequence <= last {
			t.Fatalf("%d came after %d, %v", about.Revision.Sequence, last, err)
		}
		last = about.Revision.Sequence
	}
}

func TestAnEventThatWaitedForLongIsNotAnnouncedTwice(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	next := b.feedMessages(t, "feed.v1.local.identity.>")
	lease, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	next(t)
	// As a node finds them that was stopped for longer than the stream knows
	// ids, while another one led.
	old := time.Now().Add(-time.Hour)
	waiting := []announcement{
		{epoch: lease.Revision.Epoch, transition: transition{entry: entry{seq: lease.Revision.Sequence, at: old}}},
		{epoch: lease.Revision.Epoch, transition: transition{entry: entry{seq: lease.Revision.Sequence + 1, at: old}}},
	}
	if got := n.events.stillNews(t.Context(), waiting); len(got) != 1 || got[0].transition.entry.seq != lease.Revision.Sequence+1 {
		t.Errorf("still to be announced: %+v", got)
	}
}

func TestTheQueueOfEventsHasABound(t *testing.T) {
	l := newEventLog(nil, nil, quiet())
	for range announcementsMost {
		if !l.announce("e1", transition{}) {
			t.Fatal("no room")
		}
	}
	if l.announce("e1", transition{}) || !l.isFull() {
		t.Error("there is room for more")
	}
	for len(l.take()) > 0 {
		continue
	}
	if l.isFull() || !l.announce("e1", transition{}) {
		t.Error("still no room after everything was taken")
	}
}

func TestAStreamDeletedByHandIsMadeAgain(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	js := b.streams(t)
	if err := js.DeleteStream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	next := b.feedMessages(t, "feed.v1.local.identity.>")
	if _, err := register(t, b.app, host001, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	if e := next(t); schemas.Type(e.Type()) != schemas.TypeInstanceRegistered {
		t.Errorf("announced %s", e.Type())
	}
}
