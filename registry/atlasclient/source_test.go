package atlasclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// parts splits an encoded snapshot into three messages.
func parts(t *testing.T, s registry.Snapshot) []*nats.Msg {
	t.Helper()
	whole, err := protocol.EncodeJSON(s)
	if err != nil {
		t.Fatal(err)
	}
	body := whole[0].Body
	cut := len(body) / 3
	var all []*nats.Msg
	for i, piece := range [][]byte{body[:cut], body[cut : 2*cut], body[2*cut:]} {
		all = append(all, &nats.Msg{Data: piece, Header: nats.Header{
			protocol.PartHeader:     {string(rune('1'+i)) + "/3"},
			protocol.EncodingHeader: {protocol.EncodingJSON},
		}})
	}
	return all
}

func TestASnapshotComesInParts(t *testing.T) {
	f := start(t)
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 7}, Services: []registry.ServiceSnapshot{{Name: "identity", Revision: 6}}}
	messages := parts(t, s)
	slices.Reverse(messages)
	f.answer("atlas.v1.snapshot.>", func(m *nats.Msg) {
		for _, part := range messages {
			part.Subject = m.Reply
			_ = f.atlas.NATS().PublishMsg(part)
		}
	})
	got, err := f.client.Snapshot(t.Context(), registry.Interest{Realm: "local"})
	if err != nil || got.Revision != s.Revision || len(got.Services) != 1 {
		t.Errorf("snapshot %+v, %v", got, err)
	}
	if _, err := f.client.Snapshot(t.Context(), registry.Interest{Realm: "other"}); err == nil {
		t.Error("a snapshot of another realm was taken")
	}
}

func TestAPartialSnapshotIsNone(t *testing.T) {
	f := start(t)
	messages := parts(t, registry.Snapshot{Realm: "local"})
	f.answer("atlas.v1.snapshot.>", func(m *nats.Msg) {
		messages[0].Subject = m.Reply
		_ = f.atlas.NATS().PublishMsg(messages[0])
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if s, err := f.client.Snapshot(ctx, registry.Interest{Realm: "local"}); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("snapshot %+v, %v", s, err)
	}
}

func TestALostConnectionEndsASnapshotAtOnce(t *testing.T) {
	f := start(t)
	asked := make(chan struct{})
	f.answer("atlas.v1.snapshot.>", func(*nats.Msg) { close(asked) })
	go func() {
		<-asked
		f.stopServer()
	}()
	if _, err := f.client.Snapshot(context.Background(), registry.Interest{Realm: "local"}); !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("snapshot: %v", err)
	}
}

// listen returns what is heard of an interest.
func (f *fixture) listen(in registry.Interest) <-chan registry.Update {
	f.Helper()
	updates := make(chan registry.Update, 1024)
	stop, err := f.client.Listen(in, func(u registry.Update) { updates <- u })
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(stop)
	if err := f.conn.NATS().Flush(); err != nil {
		f.Fatal(err)
	}
	return updates
}

func (f *fixture) next(updates <-chan registry.Update) registry.Update {
	f.Helper()
	select {
	case u := <-updates:
		return u
	case <-time.After(patience):
		f.Fatal("nothing heard")
		return registry.Update{}
	}
}

func TestChangesAndDigestsComeInOrder(t *testing.T) {
	f := start(t)
	updates := f.listen(registry.Interest{Realm: "local"})
	const rounds = 300
	for range rounds {
		f.publish("atlas.v1.routes.local.identity", `{"epoch":"e","realm":"local","service":"identity","changes":[{"revision":2,"previous":1,"gone":"a"}]}`)
		f.publish("atlas.v1.digest.local", `{"epoch":"e","realm":"local","revision":2,"hash":"2:0"}`)
	}
	for i := range rounds {
		if u := f.next(updates); u.Changes == nil || u.Changes.Changes[0].Gone != "a" {
			t.Fatalf("message %d: %+v", 2*i, u)
		}
		if u := f.next(updates); u.Digest == nil || u.Digest.Revision != 2 {
			t.Fatalf("message %d: %+v", 2*i+1, u)
		}
	}
}

func TestWhatIsNotTheRegistrysWordIsIgnored(t *testing.T) {
	f := start(t)
	updates := f.listen(registry.Interest{Realm: "local"})
	f.publish("atlas.v1.routes.local.identity", `not JSON`)
	f.publish("atlas.v1.routes.local.identity", `{"realm":"local","service":"billing"}`)
	f.publish("atlas.v1.routes.local.identity", `{"realm":"other","service":"identity"}`)
	f.publish("atlas.v1.digest.local", `{"realm":"local","service":"identity"}`)
	f.publish("atlas.v1.digest.local", `[]`)
	f.publish("atlas.v1.digest.local", `{"realm":"local","hash":"2:7"}`)
	if u := f.next(updates); u.Digest == nil || u.Digest.Hash != "2:7" {
		t.Errorf("heard %+v", u)
	}
	if n := f.client.Ignored(); n != 5 {
		t.Errorf("%d messages were ignored, expected 5", n)
	}
}

func TestAReconnectIsALoss(t *testing.T) {
	f := start(t)
	updates := f.listen(registry.Interest{Realm: "local", Service: "identity"})
	f.stopServer()
	f.startServer()
	for u := f.next(updates); !u.Lost; u = f.next(updates) {
	}
	f.playAtlas()
	// Its subscriptions are on their way; now the server has them.
	if err := f.client.conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	f.publish("atlas.v1.digest.local.identity", `{"realm":"local","service":"identity","hash":"2:7"}`)
	for u := f.next(updates); u.Digest == nil; u = f.next(updates) {
	}
}

func TestASlowListenerIsToldOfItsLoss(t *testing.T) {
	f := start(t)
	hold, lost := make(chan struct{}), make(chan struct{}, 10)
	stop, err := f.client.Listen(registry.Interest{Realm: "local"}, func(u registry.Update) {
		if u.Lost {
			lost <- struct{}{}
			return
		}
		<-hold
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := f.conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	for range realmRoom + 100 {
		f.publish("atlas.v1.digest.local", `{"realm":"local","hash":"2:7"}`)
	}
	if err := errors.Join(f.atlas.NATS().Flush(), f.conn.NATS().Flush()); err != nil {
		t.Fatal(err)
	}
	close(hold)
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the loss was not told")
	}
}

func TestDecode(t *testing.T) {
	realm, service := registry.Interest{Realm: "local"}, registry.Interest{Realm: "local", Service: "identity"}
	changes := `{"realm":"local","service":"identity","future":1}`
	cases := []struct {
		subject, body string
		in            registry.Interest
		ok            bool
	}{
		{"atlas.v1.routes.local.identity", changes, realm, true},
		{"atlas.v1.routes.local.identity", changes, service, true},
		{"atlas.v1.routes.local.billing", changes, realm, false},
		{"atlas.v1.routes.local.", `{"realm":"local"}`, realm, false},
		{"atlas.v1.digest.local", `{"realm":"local"}`, realm, true},
		{"atlas.v1.digest.local", `{"realm":"local","service":"identity"}`, realm, false},
		{"atlas.v1.digest.local.identity", `{"realm":"local","service":"identity"}`, service, true},
		{"atlas.v1.digest.local.identity", `{"realm":"local"}`, service, false},
		{"atlas.v1.routes.local.identity", strings.Repeat("[", 100000), realm, false},
	}
	for _, c := range cases {
		if _, err := decode(marked(c.subject, c.body), c.in, new(protocol.ChangesReader)); (err == nil) != c.ok {
			t.Errorf("%s %.80s for %v: %v", c.subject, c.body, c.in, err)
		}
	}
	reflected := marked("atlas.v1.routes.local.identity", changes)
	reflected.Header = nil
	if _, err := decode(reflected, realm, new(protocol.ChangesReader)); !errors.Is(err, errKind) {
		t.Errorf("a message without a mark: %v", err)
	}
	packed := &nats.Msg{Subject: reflected.Subject, Data: protocol.PackChanges(&registry.Changes{Realm: "local", Service: "identity"})}
	for _, header := range []nats.Header{nil, {protocol.KindHeader: {protocol.KindPackedChanges}}} {
		packed.Header = header
		if u, err := decode(packed, service, new(protocol.ChangesReader)); err != nil || u.Changes == nil {
			t.Errorf("packed changes with headers %v: %+v, %v", header, u, err)
		}
	}
	mixed := marked("atlas.v1.digest.local", `{"realm":"local"}`)
	mixed.Subject = "atlas.v1.routes.local.identity"
	if _, err := decode(mixed, realm, new(protocol.ChangesReader)); !errors.Is(err, errSubject) {
		t.Errorf("a digest among the changes: %v", err)
	}
}
