package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func sample(service, id string, port int) Instance {
	return Instance{Service: service, ID: id, Host: "127.0.0.1", Port: port, Status: Passing, Enabled: true}
}

func idsOf(s *Service) []string {
	ids := []string{}
	for in := range s.All() {
		ids = append(ids, in.ID)
	}
	return ids
}

func TestATableNeverChanges(t *testing.T) {
	first := NewTable("local", "e").WithService("identity", 1, []Instance{sample("identity", "b", 1), sample("identity", "a", 1)})
	hash := first.Hash()
	added := sample("identity", "c", 1)
	added.Revision = 2
	second := first.WithInstance(added)
	third := second.WithoutInstance("identity", "a", 3)
	fourth := third.WithoutService("identity")
	for _, c := range []struct {
		table    *Table
		want     []string
		revision uint64
	}{{first, []string{"a", "b"}, 1}, {second, []string{"a", "b", "c"}, 2}, {third, []string{"b", "c"}, 3}} {
		s := c.table.Service("identity")
		if !slices.Equal(idsOf(s), c.want) || s.Revision != c.revision || c.table.Len() != len(c.want) {
			t.Errorf("at %d: %v, expected %v at %d", s.Revision, idsOf(s), c.want, c.revision)
		}
	}
	if fourth.Service("identity") != nil || first.Hash() != hash || fourth.Hash() != 0 {
		t.Error("a later table changed an earlier one")
	}
}

func TestAChangeSharesTheOtherServices(t *testing.T) {
	table := NewTable("local", "e")
	for i := range 1000 {
		name := fmt.Sprint("s", i)
		table = table.WithService(name, 1, []Instance{sample(name, "a", 1)})
	}
	next := table.WithInstance(sample("s7", "b", 1))
	for i := range 1000 {
		name := fmt.Sprint("s", i)
		if same := table.Service(name) == next.Service(name); same != (name != "s7") {
			t.Fatalf("%s is shared: %v", name, same)
		}
	}
}

func TestATableSharesWhatAnotherHasAsWell(t *testing.T) {
	fill := func(t *Table) *Table {
		for _, name := range []string{"same", "later", "other", "gone"} {
			t = t.WithService(name, 1, []Instance{sample(name, "a", 1)})
		}
		return t
	}
	own, twin := fill(NewTable("local", "e")), fill(NewTable("local", "e"))
	twin = twin.WithService("later", 2, []Instance{sample("later", "a", 1)}).WithService("other", 1, []Instance{sample("other", "a", 2)}).WithoutService("gone")
	shared := own.Sharing(twin)
	for name, want := range map[string]bool{"same": true, "later": false, "other": false, "gone": false} {
		if is := shared.Service(name) == twin.Service(name); is != want {
			t.Errorf("%s is shared: %v", name, is)
		}
	}
	if shared.Hash() != own.Hash() || shared.Len() != own.Len() || own.Service("same") == twin.Service("same") {
		t.Error("sharing changed a table")
	}
	if again := shared.Sharing(twin); again != shared {
		t.Error("there is another table although nothing is to be shared")
	}
}

// TestServicesMayBeFewOrMany: the index changes its form on the way.
func TestServicesMayBeFewOrMany(t *testing.T) {
	table := NewTable("local", "e")
	var before []*Table
	for n := range 3 * fewMost {
		before = append(before, table)
		table = table.WithInstance(sample(fmt.Sprintf("s%02d", n*7%(3*fewMost)), "a", n))
	}
	for n, old := range before {
		if got := len(slices.Collect(old.Services())); got != n || old.Len() != n {
			t.Errorf("the table of %d has %d services, %d instances", n, got, old.Len())
		}
	}
	for n := range 3 * fewMost {
		name := fmt.Sprintf("s%02d", n)
		without := table.WithoutService(name)
		if table.Service(name) == nil || without.Service(name) != nil || without.Service("other") != nil {
			t.Errorf("%s is not found, or not gone", name)
		}
		table = without
	}
	if table.Len() != 0 || table.Hash() != 0 {
		t.Errorf("%d instances are left", table.Len())
	}
}

func TestEmptyTables(t *testing.T) {
	var none *Table
	if none.Service("identity") != nil {
		t.Error("no table has a service")
	}
	empty := NewTable("local", "e")
	if empty.Len() != 0 || empty.Hash() != 0 || empty.Digest("identity").Hash != "2:0" {
		t.Error("an empty table is not empty")
	}
	left := empty.WithInstance(sample("identity", "a", 1)).WithoutInstance("identity", "a", 9)
	if s := left.Service("identity"); s == nil || s.Len() != 0 || s.Revision != 9 || s.Hash() != 0 {
		t.Errorf("a service whose last instance left: %+v", s)
	}
	if s := empty.WithoutInstance("identity", "a", 4).Service("identity"); s == nil || s.Revision != 4 {
		t.Errorf("an instance that never was left: %+v", s)
	}
}

// TestTheHashIsThatOfTheContent follows random changes: kept up change by
// change, the hash is the same as computed anew.
func TestTheHashIsThatOfTheContent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table := NewTable("local", "e")
	for i := range 2000 {
		service, id := fmt.Sprint("s", random.IntN(5)), fmt.Sprint("i", random.IntN(20))
		if random.IntN(3) == 0 {
			table = table.WithoutInstance(service, id, uint64(i))
			continue
		}
		in := sample(service, id, random.IntN(3))
		in.Revision = uint64(i)
		table = table.WithInstance(in)
	}
	fresh := NewTable("local", "e")
	for s := range table.Services() {
		fresh = fresh.WithService(s.Name, s.Revision, s.Instances())
		if !slices.IsSorted(idsOf(s)) {
			t.Errorf("%s is not sorted: %v", s.Name, idsOf(s))
		}
	}
	if fresh.Hash() != table.Hash() {
		t.Error("the hash that was kept up is not that of the content")
	}
}

func TestSnapshotAndDigest(t *testing.T) {
	at := Revision{Epoch: "e", Sequence: 9}
	table := NewTable("local", "e").
		WithService("identity", 7, []Instance{sample("identity", "a", 1)}).
		WithService("billing", 8, []Instance{sample("billing", "b", 1)}).At(at)
	whole := table.Snapshot(Interest{Realm: "local"})
	if len(whole.Services) != 2 || whole.Services[0].Name != "billing" || whole.Revision != at || whole.Realm != "local" {
		t.Errorf("snapshot %+v", whole)
	}
	if one := table.Snapshot(Interest{Realm: "local", Service: "identity"}); len(one.Services) != 1 || one.Services[0].Revision != 7 {
		t.Errorf("snapshot %+v", one)
	}
	if none := table.Snapshot(Interest{Realm: "local", Service: "other"}); none.Services == nil || len(none.Services) != 0 {
		t.Errorf("snapshot %+v", none)
	}
	if d := table.Digest(""); d.Revision != 9 || d.Hash != FormatHash(table.Hash()) {
		t.Errorf("digest %+v", d)
	}
	if d := table.Digest("identity"); d.Revision != 7 || d.Hash != FormatHash(table.Service("identity").Hash()) {
		t.Errorf("digest %+v", d)
	}
}

// realmOf returns a table of services that have as many instances each.
func realmOf(services, each int) *Table {
	var all []ServiceSnapshot
	for i := range services {
		s := ServiceSnapshot{Name: fmt.Sprint("s", i)}
		for j := range each {
			in := sample(s.Name, fmt.Sprintf("host%05d-5000", j), 5000)
			in.Metadata = map[string]string{"git": "4f2a9c"}
			s.Instances = append(s.Instances, in)
		}
		all = append(all, s)
	}
	return NewTable("local", "e").WithServices(all)
}

// BenchmarkWithInstance is one change of tables of different shapes.
func BenchmarkWithInstance(b *testing.B) {
	for _, shape := range []struct{ services, each int }{{100, 100}, {5000, 20}, {25, 4000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.services, shape.each), func(b *testing.B) {
			table := realmOf(shape.services, shape.each)
			changed := sample("s7", "host00007-5000", 2)
			b.ReportAllocs()
			for b.Loop() {
				table.WithInstance(changed)
			}
		})
	}
}

// BenchmarkWithServices makes a table of 10,000 instances.
func BenchmarkWithServices(b *testing.B) {
	services := realmOf(500, 20).Snapshot(Interest{Realm: "local"}).Services
	b.ReportAllocs()
	for b.Loop() {
		NewTable("local", "e").WithServices(services)
	}
}

func BenchmarkHash(b *testing.B) {
	in := sample("identity", "host00007-5000", 5000)
	in.Metadata = map[string]string{"git": "4f2a9c"}
	b.ReportAllocs()
	for b.Loop() {
		in.Hash()
	}
}
