package atlas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

func together(k registry.Key, l registry.Lease, s registry.Status) protocol.InstanceBeat {
	return protocol.InstanceBeat{
		Service: k.Service, Instance: k.Instance,
		HeartbeatMessage: protocol.HeartbeatMessage{Incarnation: l.Incarnation, Token: l.Token, Status: s},
	}
}

func beatTogether(t *testing.T, conn *bus.Conn, carrier registry.Key, beats ...protocol.InstanceBeat) (protocol.BeatsReply, error) {
	t.Helper()
	return ask[protocol.BeatsReply](t, conn, protocol.Subject(protocol.Heartbeat, carrier), protocol.BeatsMessage{Beats: beats})
}

func TestOneMessageKeepsManyLeases(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, fastTerms)
	var beats []protocol.InstanceBeat
	for i := range 20 {
		k := registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprintf("kept-%d", i)}
		lease, err := register(t, b.app, k, nowhere(t), "life-1")
		if err != nil {
			t.Fatal(err)
		}
		beats = append(beats, together(k, lease, registry.Passing))
	}
	other := registry.Key{Realm: "local", Service: "identity", Instance: "other"}
	forged, err := register(t, b.app, other, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	forged.Token = "somebody else's guess"
	beats = append(beats, together(other, forged, registry.Passing))
	data, err := json.Marshal(protocol.BeatsMessage{Beats: beats})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.until(t, "the forged one goes", b, other, gone)
	}()
	beatUntil(t, done, func() {
		if err := b.app.NATS().Publish(protocol.Subject(protocol.Beat, host001), data); err != nil {
			t.Error(err)
		}
	})
	if left := n.tableFor(t, "local").Service("identity").Len(); left != 20 {
		t.Errorf("%d are left of 20", left)
	}
}

func TestAnAnswerNamesThoseOfManyThatAreRefused(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	lease, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	unknown := registry.Key{Realm: "local", Service: "identity", Instance: "nobody"}
	invalid := registry.Key{Realm: "local", Service: "identity", Instance: "no body"}
	stale := together(host001, lease, registry.Passing)
	stale.Token = "somebody else's guess"
	reply, err := beatTogether(t, b.app, unknown,
		together(host001, lease, registry.Warning), together(unknown, lease, registry.Passing),
		together(invalid, lease, registry.Passing), stale)
	if err != nil {
		t.Fatal(err)
	}
	want := []error{registry.ErrUnknown, nil, registry.ErrStale}
	if len(reply.Refused) != len(want) {
		t.Fatalf("refused %+v", reply.Refused)
	}
	for i, r := range reply.Refused {
		if want[i] != nil && !errors.Is(r.Problem, want[i]) || want[i] == nil && r.Problem.Code != protocol.CodeInvalid {
			t.Errorf("%s: %v", r.Instance, r.Problem)
		}
	}
	in, _ := n.tableFor(t, "local").Service("identity").Instance(host001.Instance)
	if in.Status != registry.Warning {
		t.Errorf("the others' refusals kept a status of %s", in.Status)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	for name, beats := range map[string][]protocol.InstanceBeat{
		"none": {}, "too many": make([]protocol.InstanceBeat, protocol.BeatsMost+1),
		"too long": {{HeartbeatMessage: protocol.HeartbeatMessage{Token: strings.Repeat("x", groupBytesMost)}}},
	} {
		var fields registry.FieldErrors
		if _, err := beatTogether(t, b.app, host001, beats...); !errors.As(err, &fields) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOurOwnGroupsTakeTheShortWay(t *testing.T) {
	sent := protocol.BeatsMessage{Beats: []protocol.InstanceBeat{
		together(host001, registry.Lease{Incarnation: "LIFE", Token: "SECRET"}, registry.Passing),
		together(host001, registry.Lease{Incarnation: "LIFE2", Token: "SECRET2"}, registry.Passing),
	}}
	sent.Beats[1].InFlight, sent.Beats[1].Load = 3, 0.25
	data, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var read []protocol.InstanceBeat
	count, ok := scanGroup(data, func(b scanned) {
		read = append(read, protocol.InstanceBeat{Service: string(b.service), Instance: string(b.instance), HeartbeatMessage: protocol.HeartbeatMessage{
			Incarnation: string(b.incarnation), Token: string(b.token), Status: registry.Status(b.status), InFlight: b.inFlight, Load: b.load,
		}})
	})
	if !ok || count != 2 || read[0] != sent.Beats[0] || read[1] != sent.Beats[1] {
		t.Errorf("%s was read as %+v", data, read)
	}
	for _, alone := range []string{`{"incarnation":"\"beats\""}`, `{"incarnation":"LIFE","token":"SECRET"}`} {
		if isGroup([]byte(alone)) {
			t.Errorf("%s was taken for many", alone)
		}
	}
	// What others write is the library's to read.
	spaced, err := json.MarshalIndent(sent, "", " ")
	if err != nil || !isGroup(spaced) {
		t.Errorf("%s was not taken for many: %v", spaced, err)
	}
}
