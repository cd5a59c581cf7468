package follow

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

// synced returns a feed that follows the realm as of a snapshot.
func synced(now time.Time, s registry.Snapshot) (*feed, *registry.Table) {
	f := &feed{interest: registry.Interest{Realm: "local"}, patience: time.Second}
	f.ask()
	t, _ := f.answered(registry.NewTable("local", ""), s, now)
	return f, t
}

func TestALossWhileASnapshotIsUnderWayMakesItNotEnough(t *testing.T) {
	now := time.Unix(1000, 0)
	f, table := synced(now, snapshotOf("e1", 5, "a@5: x"))
	if f.pending() {
		t.Fatal("it wants another snapshot already")
	}
	f.ask()
	f.lost(now)
	f.answered(table, snapshotOf("e1", 6, "a@6: y"), now)
	if !f.pending() {
		t.Error("the snapshot was asked for before the loss, and believed to be all")
	}
}

func TestTheBacklogHasABound(t *testing.T) {
	now := time.Unix(1000, 0)
	f, table := synced(now, snapshotOf("e1", 5, "a@5: x"))
	f.ask()
	in := instance("a", "x")
	for i := range uint64(backlogMost + 10) {
		table = f.changes(table, &registry.Changes{Epoch: "e1", Realm: "local", Service: "a", Changes: []registry.Change{{Revision: 6 + i, Previous: 5 + i, Instance: &in}}}, now)
	}
	if len(f.backlog) > backlogMost {
		t.Errorf("%d messages are kept", len(f.backlog))
	}
	f.answered(table, snapshotOf("e1", 6, "a@6: y"), now)
	if !f.pending() {
		t.Error("messages were dropped, and nothing is asked for again")
	}
}

func TestWhatIsOfAnotherInterestIsIgnored(t *testing.T) {
	now := time.Unix(1000, 0)
	f, table := synced(now, snapshotOf("e1", 5, "a@5: x"))
	next := f.changes(table, &registry.Changes{Epoch: "e1", Realm: "other", Service: "a", Changes: []registry.Change{{Revision: 6, Previous: 5, Gone: "x"}}}, now)
	f.digest(table, &registry.Digest{Epoch: "e1", Realm: "other", Revision: 9, Hash: "1:0"}, now)
	if next != table || f.pending() || f.doubt != nil {
		t.Error("it listened to another realm")
	}
}

// BenchmarkSnapshot is the cost of a first snapshot of 10,000 instances, once
// it is decoded.
func BenchmarkSnapshot(b *testing.B) {
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e1", Sequence: 1}}
	for service := range 100 {
		one := registry.ServiceSnapshot{Name: "s" + string(rune('a'+service/26)) + string(rune('a'+service%26)), Revision: 1}
		for i := range 100 {
			one.Instances = append(one.Instances, instance(one.Name, "i"+string(rune('a'+i/26))+string(rune('a'+i%26))))
		}
		s.Services = append(s.Services, one)
	}
	for b.Loop() {
		synced(time.Unix(1000, 0), s)
	}
}

func BenchmarkResolve(b *testing.B) {
	f := New(Options{Realm: "local"})
	f.view.Store(&view{table: tableOf("identity@3: a b c")})
	for b.Loop() {
		if _, err := f.Resolve(b.Context(), "identity"); err != nil {
			b.Fatal(err)
		}
	}
}
