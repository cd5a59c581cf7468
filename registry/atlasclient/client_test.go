package atlasclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

var host001 = registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}

func TestRequestsSayWhatTheProtocolSays(t *testing.T) {
	f := start(t)
	asked := make(chan *nats.Msg, 1)
	f.answer("atlas.v1.register.>", func(m *nats.Msg) {
		asked <- m
		_ = m.Respond([]byte(`{"incarnation":"life-1","token":"t","revision":{"epoch":"e","sequence":7},"heartbeat_ms":2000,"lease_ms":6000,"newer":"field"}`))
	})
	lease, err := f.client.Register(t.Context(), host001, registry.Registration{Host: "10.0.0.7", Port: 5000}, registry.Life{Incarnation: "life-1"})
	want := registry.Lease{Incarnation: "life-1", Token: "t", Revision: registry.Revision{Epoch: "e", Sequence: 7}, Every: 2 * time.Second, TTL: 6 * time.Second}
	if err != nil || lease != want {
		t.Errorf("lease %+v, %v", lease, err)
	}
	m := <-asked
	var body protocol.RegisterRequest
	if err := json.Unmarshal(m.Data, &body); err != nil || body.Via != "bridge" || body.Incarnation != "life-1" || body.Registration.Weight != registry.DefaultWeight {
		t.Errorf("asked %s with %s", m.Subject, m.Data)
	}
	if m.Subject != protocol.Subject(protocol.Register, host001) {
		t.Errorf("asked %s", m.Subject)
	}
}

func TestRefusalsAreErrorsToBranchOn(t *testing.T) {
	f := start(t)
	refuse := func(err error) nats.MsgHandler {
		return func(m *nats.Msg) {
			body, _ := json.Marshal(protocol.NewProblem(err))
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"409"}, micro.ErrorHeader: {"refused"}}, Data: body})
		}
	}
	f.answer("atlas.v1.heartbeat.>", refuse(registry.ErrUnknown))
	f.answer("atlas.v1.flag.>", refuse(registry.FieldErrors{{Field: "reason", Problem: "must be short"}}))
	f.answer("atlas.v1.weight.>", func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"500"}, micro.ErrorHeader: {"out of order"}}})
	})
	err := f.client.Heartbeat(t.Context(), host001, registry.Heartbeat{Status: registry.Passing})
	var problem *protocol.Problem
	if !errors.Is(err, registry.ErrUnknown) || !errors.As(err, &problem) || problem.Code != protocol.CodeUnknown {
		t.Errorf("heartbeat: %v", err)
	}
	_, err = f.client.SetFlag(t.Context(), host001, nil)
	var fields registry.FieldErrors
	if !errors.As(err, &fields) || fields[0].Field != "reason" {
		t.Errorf("flag: %v", err)
	}
	if _, err = f.client.SetWeight(t.Context(), host001, nil); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("weight: %v", err)
	}
}

// TestNobodyThereIsKnownAtOnce uses a context without an end: if the bus's
// answer were missed, the request would take its full five seconds.
func TestNobodyThereIsKnownAtOnce(t *testing.T) {
	f := start(t)
	begun := time.Now()
	_, registerErr := f.client.Register(context.Background(), host001, registry.Registration{Host: "a", Port: 1}, registry.Life{})
	_, snapshotErr := f.client.Snapshot(context.Background(), registry.Interest{Realm: "local"})
	for _, err := range []error{registerErr, snapshotErr} {
		if !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error: %v", err)
		}
	}
	if took := time.Since(begun); took > requestTimeout/2 {
		t.Errorf("took %s", took)
	}
}

func TestASlowAtlasIsBoundedByTheContext(t *testing.T) {
	f := start(t)
	f.answer("atlas.v1.>", func(*nats.Msg) {})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, registerErr := f.client.Register(ctx, host001, registry.Registration{Host: "a", Port: 1}, registry.Life{})
	_, snapshotErr := f.client.Snapshot(ctx, registry.Interest{Realm: "local"})
	if !errors.Is(registerErr, registry.ErrUnavailable) || !errors.Is(registerErr, context.DeadlineExceeded) {
		t.Errorf("register: %v", registerErr)
	}
	if !errors.Is(snapshotErr, context.DeadlineExceeded) {
		t.Errorf("snapshot: %v", snapshotErr)
	}
}

func TestWithoutAConnectionRequestsFailAtOnce(t *testing.T) {
	f := start(t)
	lost := make(chan struct{})
	defer f.conn.OnDisconnect(func(error) { close(lost) })()
	f.stopServer()
	<-lost
	_, registerErr := f.client.Register(context.Background(), host001, registry.Registration{Host: "a", Port: 1}, registry.Life{})
	_, snapshotErr := f.client.Snapshot(context.Background(), registry.Interest{Realm: "local"})
	beatErr := f.client.Beat(host001, registry.Heartbeat{Status: registry.Passing})
	for _, err := range []error{registerErr, snapshotErr, beatErr} {
		if !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("error: %v", err)
		}
	}
}

// TestABusThatWasNeverMet: who waits for it learns where it should be.
func TestABusThatWasNeverMet(t *testing.T) {
	nobody := httptest.NewServer(nil)
	nobody.Close()
	conn, err := bus.Connect(t.Context(), bus.Options{URL: "nats://" + nobody.Listener.Addr().String(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := New(conn, Options{Logger: quiet()})
	_, registerErr := client.Register(t.Context(), host001, registry.Registration{Host: "a", Port: 1}, registry.Life{})
	_, snapshotErr := client.Snapshot(t.Context(), registry.Interest{Realm: "local"})
	for _, err := range []error{registerErr, snapshotErr} {
		if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "no connection to the bus at "+conn.URL()) {
			t.Errorf("error: %v", err)
		}
	}
}

func TestInvalidNamesNeverReachTheBus(t *testing.T) {
	client := New(nil, Options{}) // a use of the connection would panic
	bad := registry.Key{Realm: "local", Service: "*", Instance: "a b"}
	for name, err := range map[string]error{
		"heartbeat":  client.Heartbeat(t.Context(), bad, registry.Heartbeat{}),
		"beat":       client.Beat(bad, registry.Heartbeat{}),
		"deregister": client.Deregister(t.Context(), bad, "", ""),
	} {
		var fields registry.FieldErrors
		if !errors.As(err, &fields) || len(fields) != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Snapshot(t.Context(), registry.Interest{Realm: ">"}); err == nil {
		t.Error("snapshot of >")
	}
	if _, err := client.Listen(registry.Interest{Realm: "local", Service: "a.*"}, nil); err == nil {
		t.Error("listen to a.*")
	}
}
