package atlas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/registry"
)

func messageOf(e entry) *nats.Msg {
	m := &nats.Msg{Subject: bucketSubject + e.key, Data: e.value, Header: nats.Header{}}
	if e.deleted {
		m.Header.Set(kvOperation, "DEL")
	}
	return m
}

func (s *store) fill(t *testing.T, entries ...entry) {
	t.Helper()
	for _, e := range entries {
		if _, err := s.js.PublishMsg(t.Context(), messageOf(e)); err != nil {
			t.Fatal(err)
		}
	}
}

// knowledge is what a node knows by a replay.
type knowledge struct {
	epoch       string
	seq         uint64
	tables      map[string]string
	seqs        map[registry.Key][aspects]uint64
	services    map[registry.ServiceKey]serviceSlot
	quarantined map[string]string
	strikes     map[string]int
}

func knowledgeOf(m *model) knowledge {
	k := knowledge{
		epoch: m.epoch, seq: m.seq, tables: map[string]string{}, seqs: map[registry.Key][aspects]uint64{},
		services: map[registry.ServiceKey]serviceSlot{}, quarantined: m.quarantined, strikes: m.strikes,
	}
	for name, table := range m.tables() {
		k.tables[name] = fmt.Sprint(table.Revision, table.Hash())
		for s := range table.Services() {
			k.tables[name] += fmt.Sprint(" ", s.Name, s.Revision, s.MetaRevision)
			for in := range s.All() {
				k.tables[name] += fmt.Sprint(" ", in.ID, in.Revision)
			}
		}
	}
	for key, slot := range m.slots {
		k.seqs[key] = slot.seqs
	}
	for key, slot := range m.services {
		k.services[key] = *slot
	}
	return k
}

// whole replays all that the bucket holds, up to a sequence.
func (s *store) whole(t *testing.T, upTo uint64) *model {
	t.Helper()
	m := newReplay()
	if _, err := s.replay(t.Context(), everything, func(e entry) {
		if e.seq <= upTo {
			m.apply(e)
		}
	}); err != nil {
		t.Fatal(err)
	}
	m.finish()
	return m
}

func TestTheLastValuesSayWhatTheWholeHistorySays(t *testing.T) {
	const other = "hosts.local.identity.b"
	cases := map[string][]entry{
		"nothing but the epoch": nil,
		"a life":                list(put(keyRecord, life("x", "")), put(keyRecord, life("x", `,"suspect":true`))),
		"a life that is over":   list(put(keyRecord, life("x", "")), put(other, life("y", "")), del(keyRecord, "")),
		"a life after another":  list(put(keyRecord, life("x", "")), del(keyRecord, ""), put(keyRecord, life("y", ""))),
		"a flag":                list(put(keyRecord, life("x", "")), put(keyFlag, "false")),
		"a flag taken away":     list(put(keyRecord, life("x", "")), put(keyFlag, "false"), del(keyFlag, "")),
		"a flag of nobody":      list(put(keyRecord, life("x", "")), put(other, life("y", "")), del(other, ""), put(other+".enabled", "false")),
		"a flag and then a life": list(put(keyFlag, "false"), put(other, life("y", "")),
			put(keyRecord, life("x", ""))),
		"a service":            list(put(keyMeta, `{"owner":"ann"}`), put(keyRecord, life("x", ""))),
		"a service said twice": list(put(keyMeta, `{"owner":"ann"}`), put(keyMeta, `{"owner":"ann"}`), put(keyRecord, life("x", ""))),
		"a service taken away": list(put(keyRecord, life("x", "")), put(keyMeta, `{"owner":"ann"}`), del(keyMeta, "")),
		"rubbish over a life":  list(put(keyRecord, life("x", "")), put(keyFlag, "false"), put(keyRecord, "{"), put(keyRecord, "{")),
		"rubbish over a flag":  list(put(keyFlag, "false"), put(keyFlag, "maybe"), put(keyRecord, life("x", ""))),
		"rubbish of a service": list(put(keyMeta, `{"owner":"ann"}`), put(keyMeta, "{"), put(keyRecord, life("x", ""))),
		"rubbish that is gone": list(put(keyRecord, "{"), put(keyRecord, life("x", "")), put("nonsense", "1"), del("nonsense", "")),
	}
	for name, entries := range cases {
		t.Run(name, func(t *testing.T) {
			s := startStore(t)
			s.fill(t, put(epochKey, "e1"))
			s.fill(t, entries...)
			m, pos, err := s.recall(t.Context())
			if err != nil || pos.last != uint64(len(entries)+1) {
				t.Fatal(pos, err)
			}
			if got, want := knowledgeOf(m), knowledgeOf(s.whole(t, pos.last)); !reflect.DeepEqual(got, want) {
				t.Errorf("last values: %+v\nhistory:     %+v", got, want)
			}
		})
	}
}

// What is written while a node starts reaches it in another way from the place
// on where its replay ended, so that has to be an exact one.
func TestARecallIsExactWhileOthersWrite(t *testing.T) {
	s := startStore(t)
	s.fill(t, put(epochKey, "e1"))
	written := make(chan error, 1)
	go func() { written <- s.churn() }()
	var recalled []*model
	for done := false; !done; {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		m, _, err := s.recall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		recalled = append(recalled, m)
	}
	for _, m := range recalled {
		if got, want := knowledgeOf(m), knowledgeOf(s.whole(t, m.seq)); !reflect.DeepEqual(got, want) {
			t.Fatalf("at %d, of %d replays\nlast values: %v\nhistory:     %v", m.seq, len(recalled), got.tables, want.tables)
		}
	}
}

// churn writes each of many keys as often as the bucket remembers.
func (s *store) churn() error {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 5 {
		for i := range 100 {
			e := put(fmt.Sprintf("hosts.local.service-%d.id-%d", i%7, i), life(fmt.Sprint(round), ""))
			if round%2 == 1 && random.IntN(3) == 0 {
				e = del(e.key, "")
			}
			if _, err := s.js.PublishMsg(context.Background(), messageOf(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A bucket that somebody made by other means may have lost its last message.
func TestARecallEndsWhereTheLastMessageIsGone(t *testing.T) {
	s := startStore(t)
	if err := s.js.DeleteStream(t.Context(), bucketStream); err != nil {
		t.Fatal(err)
	}
	stream, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: bucketStream, Subjects: []string{bucketSubject + everything}, MaxMsgsPerSubject: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.fill(t, put(epochKey, "e1"), put(keyRecord, life("x", "")), put(keyFlag, "false"))
	if err := stream.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	m, _, err := s.recall(t.Context())
	if err != nil || m.seq != 3 || m.table("local").Len() != 1 {
		t.Errorf("at %d, %v", m.seq, err)
	}
}

// What ended last leaves no message at the bucket's last sequence.
func TestANodeThatStartsAfterDeletionsEndedIsNotBehind(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	n.endDeletions(t, bucketKey(host001, aspectRecord))
	later := startNode(t, b, Terms{})
	pos, err := later.store.position(t.Context())
	if err != nil || later.taken.Load() > pos.last || later.isBehind(t.Context()) {
		t.Errorf("at %d of %d, %v", later.taken.Load(), pos.last, err)
	}
}

// endDeletions has nothing left of a key but deletions that end.
func (n *Node) endDeletions(t *testing.T, key string) {
	t.Helper()
	stream, err := n.store.js.Stream(t.Context(), bucketStream)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.AllowMsgTTL = true
	if _, err := n.store.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for range config.MaxMsgsPerSubject {
		m := messageOf(del(key, ""))
		m.Header.Set("Nats-TTL", "1s")
		if _, err := n.store.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the deletions are gone", func() bool {
		last, err := n.store.lastOf(t.Context(), key)
		return err == nil && last == 0
	})
}
