package atlas

import (
	"testing"

	"github.com/nats-io/nats.go"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// A client chooses where the server sends the trace of its message. In an
// account without permissions that may be an operator's verb, whose body
// without a word about the flag would otherwise take the flag away.
func TestATraceIsNoRequest(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001), protocol.FlagRequest{Flag: &registry.Flag{}}); err != nil {
		t.Fatal(err)
	}
	traces, err := b.atlas.NATS().SubscribeSync(protocol.Pattern(protocol.Flag))
	if err != nil {
		t.Fatal(err)
	}
	writes, err := b.atlas.NATS().SubscribeSync(provision.RegistryChanges + ".>")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.atlas.NATS().FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg(protocol.Status("local"))
	msg.Header.Set("Nats-Trace-Dest", protocol.Subject(protocol.Flag, host001))
	if err := b.app.NATS().PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	if _, err := traces.NextMsg(patience); err != nil {
		t.Fatalf("the trace did not come: %v", err)
	}
	// One more write of the same key: it is the next only if the trace wrote none.
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001), protocol.FlagRequest{Flag: &registry.Flag{Reason: "still"}}); err != nil {
		t.Fatal(err)
	}
	if heard, err := writes.NextMsg(patience); err != nil || len(heard.Data) == 0 {
		t.Fatalf("the trace took the flag away: %v, %v", heard, err)
	}
	if in := n.waitingFlag(t, host001); in == nil || in.Enabled || in.Reason != "still" {
		t.Errorf("the flag is %+v", in)
	}
}

func (n *Node) waitingFlag(t *testing.T, k registry.Key) *registry.Flag {
	t.Helper()
	var flag *registry.Flag
	if err := n.ask(t.Context(), func(s *state) {
		if slot := s.model.slots[k]; slot != nil {
			flag = slot.flag
		}
	}); err != nil {
		t.Fatal(err)
	}
	return flag
}

// A body meant for another verb, or an answer that was sent back, says nothing
// of an override and takes none away.
func TestAnOverrideIsTakenAwayOnlyByName(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	for _, verb := range []string{protocol.Flag, protocol.Weight, protocol.Drain} {
		for _, body := range []string{`{}`, `{"incarnation":"x","token":"y"}`, `{"revision":{"epoch":"a","sequence":1}}`} {
			if _, err := askRaw[protocol.RevisionReply](t, b.app, protocol.Subject(verb, host001), []byte(body)); err == nil {
				t.Errorf("%s took %s", verb, body)
			}
		}
		if _, err := askRaw[protocol.RevisionReply](t, b.app, protocol.Subject(verb, host001), []byte(`{"`+verb+`":null}`)); err != nil {
			t.Errorf("%s by null: %v", verb, err)
		}
	}
}
