package registry

import (
	"fmt"
	"testing"
)

func TestAnEditEqualsItsChangesOneByOne(t *testing.T) {
	before := realmOf(3, 200)
	var changes []Change
	for i := range uint64(300) {
		id := fmt.Sprintf("host%05d-5000", i*7%250)
		c := Change{Revision: i + 1, Previous: i}
		switch i % 4 {
		case 0:
			c.Gone = id
		case 1:
			in := sample("s1", id, int(i))
			c.Instance = &in
		default:
			c.Condition = &Condition{ID: id, Status: Warning, Weight: int(i), Enabled: i%3 == 0}
		}
		changes = append(changes, c)
	}
	hash, single, edit := before.Hash(), before, before.Edit("s1")
	for i := range changes {
		one := single.Edit("s1")
		if edit.Apply(&changes[i]) != one.Apply(&changes[i]) {
			t.Fatalf("change %d fits once", i)
		}
		single = one.Table()
	}
	together := edit.Table()
	if together.Hash() != single.Hash() || together.Len() != single.Len() || together.Service("s1").Revision != single.Service("s1").Revision {
		t.Errorf("together %d instances, one by one %d, or not the same", together.Len(), single.Len())
	}
	if fresh := NewTable("local", "e").WithServices(together.Snapshot(Interest{}).Services); fresh.Hash() != together.Hash() {
		t.Error("the hash that was kept up is not that of the content")
	}
	if fresh := NewTable("local", "e").WithServices(before.Snapshot(Interest{}).Services); fresh.Hash() != hash {
		t.Error("the edit changed the table before")
	}
}

func TestAnEditWithoutAChangeIsTheTableBefore(t *testing.T) {
	before := realmOf(1, 3)
	edit := before.Edit("s0")
	if edit.Apply(&Change{Revision: 1, Condition: &Condition{ID: "other"}}) || edit.Table() != before {
		t.Error("the condition of an instance that is not there was taken")
	}
}

func TestACondition(t *testing.T) {
	before := sample("identity", "a", 1)
	off := before
	off.Enabled, off.Owner, off.Reason, off.Weight, off.Status = false, "ann", "disk", 7, Suspect
	c := off.Condition()
	if got := before.In(&c, 0); got.Hash() != off.Hash() || !off.DiffersInCondition(&before) {
		t.Errorf("%+v, expected %+v", got, off)
	}
	off.Port = 2
	if off.DiffersInCondition(&before) {
		t.Error("another port is more than a condition")
	}
}

// BenchmarkEdit is 50 conditions that came together, in a service of 128.
func BenchmarkEdit(b *testing.B) {
	table := realmOf(1, 128)
	var changes []Change
	for i := range 50 {
		changes = append(changes, Change{Revision: 1, Condition: &Condition{ID: fmt.Sprintf("host%05d-5000", i*37%128), Status: Passing}})
	}
	b.ReportAllocs()
	for b.Loop() {
		edit := table.Edit("s0")
		for i := range changes {
			edit.Apply(&changes[i])
		}
		edit.Table()
	}
}
