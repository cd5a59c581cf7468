package registry

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// A TableSource tells where a table's content came from.
type TableSource string

const (
	// Live came from Atlas.
	Live TableSource = "live"
	// Cached was read from disk at start and not confirmed since.
	Cached TableSource = "cache"
)

// A Table is one process's view of a realm, or of the services it uses. It is
// immutable: every change makes a new table that shares all it can with the
// old one. Reading needs no lock and may go on concurrently.
type Table struct {
	Realm    string
	Revision Revision
	Source   TableSource
	// Updated is when this process last heard that the table is current.
	Updated time.Time

	index index
	hash  uint64 // the sum of the services'
	count int    // of instances
}

// NewTable returns an empty table.
func NewTable(realm, epoch string) *Table {
	return &Table{Realm: realm, Revision: Revision{Epoch: epoch}, Source: Live}
}

// Service returns the view of a service, nil if the table has none.
func (t *Table) Service(name string) *Service {
	if t == nil {
		return nil
	}
	return t.index.find(name)
}

// Services yields all services, sorted by name.
func (t *Table) Services() iter.Seq[*Service] {
	return slices.Values(t.sorted())
}

func (t *Table) sorted() []*Service {
	var all []*Service
	for shard := range t.index.all() {
		all = append(all, shard...)
	}
	slices.SortFunc(all, func(a, b *Service) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Len returns the number of instances.
func (t *Table) Len() int { return t.count }

// Hash returns the sum of the hashes of all services.
func (t *Table) Hash() uint64 { return t.hash }

// WithService returns a table in which a service has exactly these instances,
// as of a revision. An empty list keeps the service known, with none. What is
// known of it as a whole stays. The table keeps the list: do not change it
// afterwards.
func (t *Table) WithService(name string, revision uint64, instances []Instance) *Table {
	s := ServiceSnapshot{Name: name, Revision: revision, Instances: instances}
	s.Meta, s.MetaRevision = t.Service(name).described()
	return t.WithSnapshot(s)
}

// WithMeta returns a table with new metadata of a service, as of a revision.
func (t *Table) WithMeta(service string, m Meta, revision uint64) *Table {
	e := t.Edit(service)
	e.describe(m, revision)
	return e.Table()
}

// WithSnapshot returns a table in which a service is what a snapshot says.
func (t *Table) WithSnapshot(s ServiceSnapshot) *Table { return t.with(newService(s)) }

// WithServices is WithSnapshot for many, at the cost of one copy of what they
// touch.
func (t *Table) WithServices(services []ServiceSnapshot) *Table {
	next := t.edit()
	for _, s := range services {
		next.put(newService(s))
	}
	return next.table
}

// WithoutService returns a table that does not know a service.
func (t *Table) WithoutService(name string) *Table {
	next := t.edit()
	next.drop(name)
	return next.table
}

// WithInstance returns a table in which one instance is replaced or added, as
// of the instance's own revision.
func (t *Table) WithInstance(in Instance) *Table {
	e := t.Edit(in.Service)
	e.put(&in)
	return e.Table()
}

// WithoutInstance returns a table that lacks one instance, as of a revision.
func (t *Table) WithoutInstance(service, id string, revision uint64) *Table {
	e := t.Edit(service)
	e.drop(id, revision)
	return e.Table()
}

// Sharing returns a table of the same content that holds another table's views of
// those services of which both have the same. Two holders in one process then
// hold them once. It is the same table if there are none. Both tables have to be of the same realm and epoch.
func (t *Table) Sharing(other *Table) *Table {
	next, same := t.edit(), t
	for shard := range t.index.all() {
		for _, own := range shard {
			if twin := other.Service(own.Name); twin != own && twin.equal(own) {
				next.put(twin)
				same = next.table
			}
		}
	}
	return same
}

// At returns the same content as of another revision.
func (t *Table) At(revision Revision) *Table {
	next := *t
	next.Revision = revision
	return &next
}

// From returns the same content with its source and time of confirmation.
func (t *Table) From(source TableSource, updated time.Time) *Table {
	return t.As(t.Revision, source, updated)
}

// As is At and From at once.
func (t *Table) As(revision Revision, source TableSource, updated time.Time) *Table {
	next := *t
	next.Revision, next.Source, next.Updated = revision, source, updated
	return &next
}

func (t *Table) with(s *Service) *Table {
	next := t.edit()
	next.put(s)
	return next.table
}

// An edit is a new table in the making.
type edit struct {
	table *Table
	index indexEdit
}

func (t *Table) edit() edit {
	next := *t
	return edit{table: &next, index: indexEdit{index: &next.index}}
}

func (e *edit) put(s *Service)   { e.count(e.index.put(s), s) }
func (e *edit) drop(name string) { e.count(e.index.drop(name), nil) }

func (e *edit) count(before, after *Service) {
	e.table.hash += after.Hash() - before.Hash()
	e.table.count += after.Len() - before.Len()
}
