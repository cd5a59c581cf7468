package registry

import (
	"hash/fnv"
	"iter"
	"maps"
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

// shards bounds the cost of a change in a table of thousands of services: only
// one shard's map is copied.
const shards = 256

// A Table is one process's view of a realm, or of the services it uses. It is
// immutable: every change makes a new table that shares all it can with the
// old one. Reading needs no lock and may go on concurrently.
type Table struct {
	Realm    string
	Revision Revision
	Source   TableSource
	// Updated is when this process last heard that the table is current.
	Updated time.Time

	shards [shards]map[string]*Service
}

// NewTable returns an empty table.
func NewTable(realm, epoch string) *Table {
	return &Table{Realm: realm, Revision: Revision{Epoch: epoch}, Source: Live}
}

// A Service is the immutable view of all instances of one service.
type Service struct {
	Name string
	// Revision is the sequence of the last change of routing of this service.
	Revision uint64
	// Instances are sorted by id.
	Instances []Instance
	// Meta is what is known of the service as a whole, zero if nothing, and
	// MetaRevision the sequence of its last change.
	Meta         Meta
	MetaRevision uint64

	hash uint64
}

func shardOf(service string) uint8 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service))
	return uint8(h.Sum32())
}

// Service returns the view of a service, nil if the table has none.
func (t *Table) Service(name string) *Service {
	if t == nil {
		return nil
	}
	return t.shards[shardOf(name)][name]
}

// Services yields all services, sorted by name.
func (t *Table) Services() iter.Seq[*Service] {
	return slices.Values(t.sorted())
}

func (t *Table) sorted() []*Service {
	var all []*Service
	for _, shard := range t.shards {
		all = slices.AppendSeq(all, maps.Values(shard))
	}
	slices.SortFunc(all, func(a, b *Service) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Len returns the number of instances.
func (t *Table) Len() int {
	n := 0
	for _, shard := range t.shards {
		for _, s := range shard {
			n += len(s.Instances)
		}
	}
	return n
}

// WithService returns a table in which a service has exactly these instances,
// as of a revision. An empty list keeps the service known, with none. What is
// known of it as a whole stays.
func (t *Table) WithService(name string, revision uint64, instances []Instance) *Table {
	sorted := slices.Clone(instances)
	slices.SortFunc(sorted, func(a, b Instance) int { return strings.Compare(a.ID, b.ID) })
	s := newService(name, revision, sorted)
	s.describe(t.Service(name).described())
	return t.with(s)
}

// WithSnapshot returns a table in which a service is what a snapshot says.
func (t *Table) WithSnapshot(s ServiceSnapshot) *Table {
	next := t.WithService(s.Name, s.Revision, s.Instances)
	next.Service(s.Name).describe(s.Meta, s.MetaRevision)
	return next
}

// WithMeta returns a table with new metadata of a service, as of a revision.
func (t *Table) WithMeta(service string, m Meta, revision uint64) *Table {
	next := t.WithService(service, revision, t.Service(service).all())
	next.Service(service).describe(m, revision)
	return next
}

// WithoutService returns a table that does not know a service.
func (t *Table) WithoutService(name string) *Table {
	next := *t
	i := shardOf(name)
	next.shards[i] = maps.Clone(t.shards[i])
	delete(next.shards[i], name)
	return &next
}

// WithInstance returns a table in which one instance is replaced or added, as
// of the instance's own revision.
func (t *Table) WithInstance(in Instance) *Table {
	old := t.Service(in.Service)
	list := make([]Instance, 0, old.Len()+1)
	at, found := old.find(in.ID)
	list = append(list, old.all()[:at]...)
	list = append(list, in)
	if found {
		at++
	}
	list = append(list, old.all()[at:]...)
	hash := old.Hash() + in.Hash()
	if found {
		hash -= old.Instances[at-1].Hash()
	}
	s := &Service{Name: in.Service, Revision: in.Revision, Instances: list, hash: hash}
	s.Meta, s.MetaRevision = old.described()
	return t.with(s)
}

// WithoutInstance returns a table that lacks one instance, as of a revision.
func (t *Table) WithoutInstance(service, id string, revision uint64) *Table {
	old := t.Service(service)
	at, found := old.find(id)
	list, hash := slices.Clone(old.all()), old.Hash()
	if found {
		hash -= list[at].Hash()
		list = slices.Delete(list, at, at+1)
	}
	s := &Service{Name: service, Revision: revision, Instances: list, hash: hash}
	s.Meta, s.MetaRevision = old.described()
	return t.with(s)
}

// At returns the same content as of another revision.
func (t *Table) At(revision Revision) *Table {
	next := *t
	next.Revision = revision
	return &next
}

// From returns the same content with its source and time of confirmation.
func (t *Table) From(source TableSource, updated time.Time) *Table {
	next := *t
	next.Source, next.Updated = source, updated
	return &next
}

func (t *Table) with(s *Service) *Table {
	next := *t
	i := shardOf(s.Name)
	next.shards[i] = maps.Clone(t.shards[i])
	if next.shards[i] == nil {
		next.shards[i] = map[string]*Service{}
	}
	next.shards[i][s.Name] = s
	return &next
}

func newService(name string, revision uint64, sorted []Instance) *Service {
	s := &Service{Name: name, Revision: revision, Instances: sorted}
	for i := range sorted {
		s.hash += sorted[i].Hash()
	}
	return s
}

// described returns what is known of a service as a whole; of nil, nothing.
func (s *Service) described() (Meta, uint64) {
	if s == nil {
		return Meta{}, 0
	}
	return s.Meta, s.MetaRevision
}

// describe is for a service that nobody else sees yet.
func (s *Service) describe(m Meta, revision uint64) {
	s.hash += m.Hash(s.Name) - s.Meta.Hash(s.Name)
	s.Meta, s.MetaRevision = m, revision
}

// Hash returns the sum of the hashes of a service's instances and metadata.
func (s *Service) Hash() uint64 {
	if s == nil {
		return 0
	}
	return s.hash
}

// Hash returns the sum of the hashes of all services.
func (t *Table) Hash() uint64 {
	var sum uint64
	for _, shard := range t.shards {
		for _, s := range shard {
			sum += s.hash
		}
	}
	return sum
}

// Instance returns one instance by id.
func (s *Service) Instance(id string) (Instance, bool) {
	at, found := s.find(id)
	if !found {
		return Instance{}, false
	}
	return s.Instances[at], true
}

// Len returns the number of instances; a nil service has none.
func (s *Service) Len() int { return len(s.all()) }

func (s *Service) all() []Instance {
	if s == nil {
		return nil
	}
	return s.Instances
}

func (s *Service) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.all(), id, func(i Instance, id string) int { return strings.Compare(i.ID, id) })
}
