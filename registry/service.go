package registry

import (
	"iter"
	"slices"
	"strings"
)

// A Service is the immutable view of one service: its instances, and what is
// known of it as a whole.
type Service struct {
	Name string
	// Revision is the sequence of the last change of routing of this service.
	Revision uint64
	// Meta is what is known of the service as a whole, zero if nothing, and
	// MetaRevision the sequence of its last change.
	Meta         Meta
	MetaRevision uint64

	list list
	hash uint64
}

// equal tells whether two views of a service are as of the same change, and have
// the same content.
func (s *Service) equal(other *Service) bool {
	return s != nil && s.Revision == other.Revision && s.MetaRevision == other.MetaRevision &&
		s.hash == other.hash && s.list.count == other.list.count
}

// newService keeps the list, unless it has to be sorted first.
func newService(from ServiceSnapshot) *Service {
	sorted := from.Instances
	if !isSorted(sorted) {
		sorted = slices.Clone(sorted)
		slices.SortFunc(sorted, byID)
	}
	s := &Service{
		Name: from.Name, Revision: from.Revision, Meta: from.Meta, MetaRevision: from.MetaRevision,
		list: newList(sorted), hash: from.Meta.Hash(from.Name),
	}
	for _, block := range s.list.blocks {
		for _, in := range block {
			s.hash += in.sum
		}
	}
	return s
}

func isSorted(all []Instance) bool {
	for i := range all[min(len(all), 1):] {
		if all[i].ID > all[i+1].ID {
			return false
		}
	}
	return true
}

func byID(a, b Instance) int { return strings.Compare(a.ID, b.ID) }

// described returns what is known of a service as a whole; of nil, nothing.
func (s *Service) described() (Meta, uint64) {
	if s == nil {
		return Meta{}, 0
	}
	return s.Meta, s.MetaRevision
}

// Hash returns the sum of the hashes of a service's instances and metadata.
func (s *Service) Hash() uint64 {
	if s == nil {
		return 0
	}
	return s.hash
}

// Len returns the number of instances; a nil service has none.
func (s *Service) Len() int { return s.all().count }

// All yields the instances, sorted by id.
func (s *Service) All() iter.Seq[Instance] {
	return func(yield func(Instance) bool) {
		for in := range s.Each() {
			if !yield(*in) {
				return
			}
		}
	}
}

// Each is All without the copies: what it yields is the service's own, so do
// not change it. An instance that did not change is the same one in the next
// view of its service.
func (s *Service) Each() iter.Seq[*Instance] {
	return func(yield func(*Instance) bool) {
		for _, block := range s.all().blocks {
			for _, in := range block {
				if !yield(in.Instance) {
					return
				}
			}
		}
	}
}

// Instances returns a copy of the list of instances, sorted by id, which
// [Service.All] spares.
func (s *Service) Instances() []Instance { return s.all().flat() }

// Instance returns one instance by id.
func (s *Service) Instance(id string) (Instance, bool) {
	in := s.Find(id)
	if in == nil {
		return Instance{}, false
	}
	return *in, true
}

// Find returns one instance by id, nil if there is none. It is the service's
// own: do not change it.
func (s *Service) Find(id string) *Instance {
	l := s.all()
	block, at, found := l.find(id)
	if !found {
		return nil
	}
	return l.blocks[block][at].Instance
}

func (s *Service) all() list {
	if s == nil {
		return list{}
	}
	return s.list
}
