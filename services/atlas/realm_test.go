package atlas

import (
	"fmt"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/protocol"
)

// TestARealmTellsRevisionsWithoutItsTable asks for the table after every so
// many changes, and finds each service's last revision all the same.
func TestARealmTellsRevisionsWithoutItsTable(t *testing.T) {
	for _, each := range []uint64{1, 3, 7, 2 * changesWaitMost} {
		r := newRealm(registry.NewTable("local", "e"))
		last := map[string]uint64{}
		for seq := uint64(1); seq <= changesWaitMost+10; seq++ {
			service := fmt.Sprint("s", seq%5)
			if got := r.revision(service); got != last[service] {
				t.Fatalf("every %d: %s is at %d, got %d", each, service, last[service], got)
			}
			last[service] = seq
			r.add(service, registry.Change{Revision: seq, Instance: &registry.Instance{Service: service, ID: fmt.Sprint("i", seq), Revision: seq}})
			r.at.Sequence = seq
			if seq%each == 0 && (r.current().Revision.Sequence != seq || r.current().Len() != int(seq)) {
				t.Fatalf("every %d: %d instances at %v", each, r.current().Len(), r.current().Revision)
			}
		}
		if r.changes >= changesWaitMost {
			t.Fatalf("%d changes wait", r.changes)
		}
		if once, again := r.current(), r.current(); once != again {
			t.Error("another table although nothing changed")
		}
	}
}

func TestARealmForgetsServicesOfWhichNothingIsLeft(t *testing.T) {
	r := newRealm(registry.NewTable("local", "e"))
	seq := uint64(0)
	add := func(service string, c registry.Change) {
		seq++
		c.Revision = seq
		if c.Instance != nil {
			c.Instance.Service, c.Instance.Revision = service, seq
		}
		r.add(service, c)
		r.at.Sequence = seq
	}
	listed := func() (names []string) {
		for s := range r.current().Services() {
			names = append(names, s.Name)
		}
		return names
	}
	began := time.Now()
	for _, service := range []string{"gone", "lives", "returns", "told-of"} {
		add(service, registry.Change{Instance: &registry.Instance{ID: "a"}})
	}
	add("told-of", registry.Change{Meta: &registry.Meta{Owner: "jane"}})
	for _, service := range []string{"gone", "returns", "told-of"} {
		add(service, registry.Change{Gone: "a"})
	}
	r.forget(began)
	// It was there again for a moment between two looks.
	add("returns", registry.Change{Instance: &registry.Instance{ID: "a"}})
	add("returns", registry.Change{Gone: "a"})
	hash := r.current().Hash()
	r.forget(began.Add(forgottenAfter - 1))
	if got := fmt.Sprint(listed()); got != "[gone lives returns told-of]" {
		t.Errorf("too early it knows %s", got)
	}
	r.forget(began.Add(forgottenAfter))
	if got := fmt.Sprint(listed()); got != "[lives returns told-of]" || r.revision("gone") != 0 {
		t.Errorf("after an hour it knows %s, gone at %d", got, r.revision("gone"))
	}
	r.forget(began.Add(2 * forgottenAfter))
	if got := fmt.Sprint(listed()); got != "[lives told-of]" || len(r.emptied) != 0 {
		t.Errorf("after two it knows %s and notes %v", got, r.emptied)
	}
	if r.current().Hash() != hash || r.current().Revision.Sequence != seq {
		t.Error("what is forgotten counted")
	}
}

// TestAForgottenServiceComesBack: it is as if it had never been there, though
// the bucket still knows the key.
func TestAForgottenServiceComesBack(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	changes := make(chan registry.Change, 8)
	stop, err := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()}).Listen(registry.Interest{Realm: "local", Service: "identity"}, func(u registry.Update) {
		if u.Changes != nil {
			for _, c := range u.Changes.Changes {
				changes <- c
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	k := registry.Key{Realm: "local", Service: "identity", Instance: "a"}
	first, err := register(t, b.app, k, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, k), protocol.DeregisterRequest{Incarnation: "life-1", Token: first.Token}); err != nil {
		t.Fatal(err)
	}
	if err := n.ask(t.Context(), func(s *state) {
		s.forgetServices(time.Now())
		s.forgetServices(time.Now().Add(2 * forgottenAfter))
	}); err != nil {
		t.Fatal(err)
	}
	if n.tableFor(t, "local").Service("identity") != nil {
		t.Error("it is not forgotten")
	}
	second, err := register(t, b.app, k, nowhere(t), "life-2")
	if err != nil {
		t.Fatal(err)
	}
	came, left, again := <-changes, <-changes, <-changes
	if came.Previous != 0 || left.Previous != came.Revision || again.Previous != 0 || again.Revision != second.Revision.Sequence {
		t.Errorf("changes %+v, %+v, %+v", came, left, again)
	}
}
