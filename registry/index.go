package registry

import (
	"iter"
	"slices"
	"strings"
)

const (
	groups         = 16
	shardsOfAGroup = 16
	// fewMost is how many services are kept in one list. Most programs follow
	// no more, and a change then copies a few words.
	fewMost = 8
)

// An index finds services by name. It is a list while they are few, and then a
// tree of two levels by the name's hash: a change in a table of thousands of
// services copies one group and one shard. It is immutable.
type index struct {
	few  shard
	many *[groups]*group // nil while they are few
}

type group [shardsOfAGroup]shard

// A shard is services sorted by name.
type shard []*Service

func placeOf(service string) (group, shard uint8) {
	h := uint8(newDigest.text(service))
	return h / shardsOfAGroup, h % shardsOfAGroup
}

func (i *index) find(name string) *Service {
	in := i.few
	if i.many != nil {
		g, n := placeOf(name)
		if i.many[g] == nil {
			return nil
		}
		in = i.many[g][n]
	}
	if at, found := in.find(name); found {
		return in[at]
	}
	return nil
}

func (s shard) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(s, name, func(s *Service, name string) int { return strings.Compare(s.Name, name) })
}

// all yields the shards.
func (i *index) all() iter.Seq[shard] {
	return func(yield func(shard) bool) {
		if i.many == nil {
			yield(i.few)
			return
		}
		for _, g := range i.many {
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
	owns  bool           // the list, or the root of the tree
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
	if e.index.many == nil && len(e.index.few) > fewMost {
		e.plant()
	}
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

// plant makes a tree of the list.
func (e *indexEdit) plant() {
	all := e.index.few
	e.index.few, e.index.many, e.owns = nil, new([groups]*group), true
	for _, s := range all {
		e.put(s)
	}
}

// shard returns the shard of a service to change.
func (e *indexEdit) shard(service string) *shard {
	if e.index.many == nil {
		return e.list()
	}
	if !e.owns {
		root := *e.index.many
		e.index.many, e.owns = &root, true
	}
	g, n := placeOf(service)
	if e.owned[g]&ownedGroup == 0 {
		e.owned[g] |= ownedGroup
		copied := group{}
		if e.index.many[g] != nil {
			copied = *e.index.many[g]
		}
		e.index.many[g] = &copied
	}
	if e.owned[g]&(1<<n) == 0 {
		e.owned[g] |= 1 << n
		e.index.many[g][n] = slices.Clone(e.index.many[g][n])
	}
	return &e.index.many[g][n]
}

func (e *indexEdit) list() *shard {
	if !e.owns {
		e.index.few, e.owns = slices.Clone(e.index.few), true
	}
	return &e.index.few
}
