package protocol

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func everyChange() registry.Changes {
	whole := large(3).Services[0].Instances[1]
	return registry.Changes{Epoch: "3f9c", Realm: "local", Service: whole.Service, Changes: []registry.Change{
		{Revision: 300, Previous: 7, Instance: &whole},
		{Revision: 301, Previous: 300, Condition: &registry.Condition{ID: "a", Weight: 100, Status: registry.Passing, Enabled: true}},
		{Revision: 302, Previous: 301, Condition: &registry.Condition{
			ID: "b", Status: "unheard-of", Owner: "ann", Reason: "disk", Until: time.Unix(1<<31, 5).UTC(),
		}},
		{Revision: 303, Previous: 302, Condition: &registry.Condition{ID: "c", Status: registry.Suspect, Owner: "ann", Reason: "disk"}},
		{Revision: 304, Previous: 303, Gone: "d"},
		{Revision: 305, Previous: 304, Meta: &registry.Meta{Owner: "team"}},
		{Revision: 306, Previous: 305, Meta: &registry.Meta{}},
	}}
}

func TestChangesSurviveTheWire(t *testing.T) {
	want := everyChange()
	got, err := UnpackChanges(PackChanges(&want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v became %+v, %v", want, got, err)
	}
}

func TestAReaderReadsOneMessageAfterTheOther(t *testing.T) {
	large, small := everyChange(), everyChange()
	small.Service, small.Changes = "billing", small.Changes[3:5]
	reader := new(ChangesReader)
	for _, want := range []registry.Changes{large, small, {Service: "empty"}, large} {
		got, err := reader.Unpack(PackChanges(&want))
		if err != nil || len(got.Changes) != len(want.Changes) || len(want.Changes) > 0 && !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
		if _, err := reader.Unpack([]byte{7}); err == nil {
			t.Error("a damaged message is no error")
		}
	}
}

func TestNewerChangesAreUnderstood(t *testing.T) {
	condition := appendText(appendCondition(nil, &registry.Condition{ID: "a"}), 99, "new")
	change := appendNumber(appendMessage(appendNumber(nil, changeRevision, 3), changeCondition, condition), 99, 1)
	body := appendText(appendMessage(appendText(nil, changesService, "identity"), changesEach, change), 99, "new")
	got, err := UnpackChanges(body)
	want := registry.Changes{Service: "identity", Changes: []registry.Change{{Revision: 3, Condition: &registry.Condition{ID: "a"}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDamagedChangesAreAnError(t *testing.T) {
	whole := everyChange()
	body := PackChanges(&whole)
	for _, damaged := range [][]byte{body[:len(body)-1], appendMessage(nil, changesEach, []byte{0xff}), {7}} {
		if c, err := UnpackChanges(damaged); err == nil {
			t.Errorf("%q is %+v", damaged, c)
		}
	}
}

// FuzzUnpackChanges packs and understands again what is understood, and has a
// table take it.
func FuzzUnpackChanges(f *testing.F) {
	whole := everyChange()
	f.Add(PackChanges(&whole))
	f.Add(appendNumber(nil, changesCount, 1<<40))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := UnpackChanges(body)
		if err != nil {
			return
		}
		if again, err := UnpackChanges(PackChanges(&c)); err != nil || len(again.Changes) != len(c.Changes) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
		edit := registry.NewTable("local", "e").Edit(c.Service)
		for i := range c.Changes {
			edit.Apply(&c.Changes[i])
		}
		edit.Table()
	})
}

// BenchmarkChanges packs and unpacks 1 and 50 conditions.
func BenchmarkChanges(b *testing.B) {
	for _, n := range []int{1, 50} {
		c := registry.Changes{Epoch: "3f9c", Realm: "local", Service: "identity"}
		for i := range uint64(n) {
			c.Changes = append(c.Changes, registry.Change{Revision: 1e6 + i + 1, Previous: 1e6 + i, Condition: &registry.Condition{
				ID: fmt.Sprintf("host%05d-5000", i), Weight: 100, Status: registry.Passing, Owner: "ann", Reason: "disk",
			}})
		}
		body := PackChanges(&c)
		b.Run(fmt.Sprintf("pack/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				PackChanges(&c)
			}
		})
		b.Run(fmt.Sprintf("unpack/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := UnpackChanges(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
