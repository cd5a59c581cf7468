package atlas

import (
	"errors"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

var identity = registry.ServiceKey{Realm: "local", Service: "identity"}

func (b *realBus) setMeta(t *testing.T, m protocol.MetaRequest) (registry.Revision, error) {
	t.Helper()
	reply, err := ask[protocol.RevisionReply](t, b.app, protocol.ServiceSubject(protocol.Meta, identity), m)
	return reply.Revision, err
}

func TestMetadataByHandCountsAndRubbishDoesNot(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	updated := b.feed(t, "feed.v1.local.identity.service.updated")
	quarantined := b.feed(t, "feed.v1.local.identity.entry.quarantined")
	kv := bucketOf(t, b)
	for _, value := range []string{`{"owner":"accounts","policy":{"timeout":"2s"}}`, `{"policy":{"timeout":"soon"}}`} {
		if _, err := kv.PutString(t.Context(), metaKey(identity), value); err != nil {
			t.Fatal(err)
		}
	}
	updated(t)
	quarantined(t)
	if s := n.tableFor(t, "local").Service("identity"); s == nil || s.Meta.Policy.Timeout != registry.Duration(2*time.Second) {
		t.Errorf("known is %+v", s)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, b, Terms{})
	if s := n.tableFor(t, "local").Service("identity"); s == nil || s.Meta.Owner != "accounts" {
		t.Errorf("after a restart: %+v", s)
	}
	status, err := n.Status(t.Context())
	if err != nil || status.Quarantined[metaKey(identity)] == "" {
		t.Errorf("quarantined are %v, %v", status.Quarantined, err)
	}
}

func TestMetadataIsReplacedOnlyByWhoKnowsIt(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	first, err := b.setMeta(t, protocol.MetaRequest{Meta: &registry.Meta{Owner: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	kv := bucketOf(t, b)
	if _, err := kv.PutString(t.Context(), metaKey(identity), "rubbish"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.setMeta(t, protocol.MetaRequest{Meta: &registry.Meta{Owner: "b"}, Expect: &registry.Revision{Epoch: first.Epoch}}); !errors.Is(err, registry.ErrRevision) {
		t.Errorf("expected none: %v", err)
	}
	second, err := b.setMeta(t, protocol.MetaRequest{Meta: &registry.Meta{Owner: "b"}, Expect: &first})
	if err != nil || second.Sequence <= first.Sequence {
		t.Errorf("rubbish by hand is no change of what was known: %v, %v", second, err)
	}
	if _, err := b.setMeta(t, protocol.MetaRequest{Expect: &first}); !errors.Is(err, registry.ErrRevision) {
		t.Errorf("taken away at an old revision: %v", err)
	}
	var fields registry.FieldErrors
	if _, err := b.setMeta(t, protocol.MetaRequest{Meta: &registry.Meta{Tags: []string{"A"}}}); !errors.As(err, &fields) || fields[0].Field != "tags" {
		t.Errorf("bad input: %v", err)
	}
}
