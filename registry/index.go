package registry

import (
	"iter"
	"slices"
	"strings"
)

const (
	groups         = 16
	shardsOfAGroup = 16
)

// An index finds services by name. It is a tree of two levels by the name's
// hash: a change in a table of thousands of services copies one group and one
// shard, and a table of one service is small. It is immutable.
type index [groups]*group

type group [shardsOfAGroup]shard

// A shard is services sorted by name.
type shard []*Service

func placeOf(service string) (group, shard uint8) {
	h := uint8(newDigest.text(service))
	return h / shardsOfAGroup, h % shardsOfAGroup
}

func (i *index) find(name string) *Service {
	g, n := placeOf(name)
	if i[g] == nil {
		return nil
	}
	if at, found := i[g][n].find(name); found {
		return i[g][n][at]
	}
	return nil
}

func (s shard) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(s, name, func(s *Service, name string) int { return strings.Compare(s.Name, name) })
}

// all yields the shards.
func (i *index) all() iter.Seq[shard] {
	return func(yield func(shard) bool) {
		for _, g := range i {
			for n := 0; g != nil && n < len(g); n++ {
				if !yield(g[n]) {
					return
				}
			}
		}
	}
}

// An indexEdit is an index in the making, of which it owns what it has copied.
type indexEdit struct {
	index *index
	owned [groups]uint32 // a bit for each shard, and one for the group
}

const ownedGroup = 1 << shardsOfAGroup

// put returns the service before, if any.
func (e *indexEdit) put(s *Service) (before *Service) {
	owned := e.shard(s.Name)
	at, found := owned.find(s.Name)
	if found {
		before, (*owned)[at] = (*owned)[at], s
		return before
	}
	*owned = slices.Insert(*owned, at, s)
	return nil
}

// drop returns the service before, if any.
func (e *indexEdit) drop(name string) (before *Service) {
	owned := e.shard(name)
	at, found := owned.find(name)
	if !found {
		return nil
	}
	before = (*owned)[at]
	*owned = slices.Delete(*owned, at, at+1)
	return before
}

// shard returns the shard of a service to change.
func (e *indexEdit) shard(service string) *shard {
	g, n := placeOf(service)
	if e.owned[g]&ownedGroup == 0 {
		e.owned[g] |= ownedGroup
		copied := group{}
		if e.index[g] != nil {
			copied = *e.index[g]
		}
		e.index[g] = &copied
	}
	if e.owned[g]&(1<<n) == 0 {
		e.owned[g] |= 1 << n
		e.index[g][n] = slices.Clone(e.index[g][n])
	}
	return &e.index[g][n]
}
