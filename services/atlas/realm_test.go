package atlas

import (
	"fmt"
	"testing"

	"fairlead.dev/registry"
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
