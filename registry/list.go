package registry

import (
	"slices"
	"strings"
)

// A change copies one block of a list, so its cost does not grow with the
// service. Blocks are filled half, and split when they are full.
const (
	blockMost = 64
	blockFill = blockMost / 2
)

// A list is instances sorted by id, in blocks. It is immutable: lists share
// the blocks that they have in common, and the instances: a change copies
// their addresses only. No block is empty.
type list struct {
	blocks []block
	count  int
}

type block []listed

// A listed instance comes with its hash, so that replacing it costs one hash
// and not two, and with that of its metadata, which few changes touch.
type listed struct {
	*Instance
	sum, pairs uint64
}

func (h *hasher) listing(in *Instance) listed {
	pairs := h.of(in.Metadata)
	return listed{Instance: in, sum: in.hash(pairs), pairs: pairs}
}

// newList keeps the slice.
func newList(sorted []Instance) list {
	if len(sorted) == 0 {
		return list{}
	}
	all := make(block, len(sorted))
	var hashes hasher
	for i := range sorted {
		all[i] = hashes.listing(&sorted[i])
	}
	l := list{count: len(all)}
	if len(all) <= blockMost {
		l.blocks = []block{all}
		return l
	}
	l.blocks = make([]block, 0, len(all)/blockFill+1)
	l.blocks = slices.AppendSeq(l.blocks, slices.Chunk(all, blockFill))
	return l
}

// flat returns a copy of all instances.
func (l list) flat() []Instance {
	if l.count == 0 {
		return nil
	}
	all := make([]Instance, 0, l.count)
	for _, block := range l.blocks {
		for _, in := range block {
			all = append(all, *in.Instance)
		}
	}
	return all
}

// find returns where an id is, or would have to be: in the last block that
// does not begin after it.
func (l list) find(id string) (in, at int, found bool) {
	in, found = slices.BinarySearchFunc(l.blocks, id, func(b block, id string) int { return strings.Compare(b[0].ID, id) })
	if found || len(l.blocks) == 0 {
		return in, 0, found
	}
	in = max(in-1, 0)
	at, found = slices.BinarySearchFunc(l.blocks[in], id, func(i listed, id string) int { return strings.Compare(i.ID, id) })
	return in, at, found
}

// A listEdit is a list in the making. It copies what it shares with the list
// that it began with before it first changes that.
type listEdit struct {
	list
	owned []bool // by block; nil while nothing is
}

// put replaces or adds an instance, and returns by how much that changes the
// sum of all hashes.
func (e *listEdit) put(in *Instance) uint64 {
	block, at, found := e.find(in.ID)
	if found {
		return e.replace(block, at, in)
	}
	now := new(hasher).listing(in)
	e.insert(block, at, now)
	return now.sum
}

// replace is put for who has found the instance's place already.
func (e *listEdit) replace(in, at int, one *Instance) uint64 {
	e.own(in)
	place := &e.blocks[in][at]
	before := *place
	hashes := hasher{before.Metadata, before.pairs}
	*place = hashes.listing(one)
	return place.sum - before.sum
}

func (e *listEdit) insert(in, at int, one listed) {
	e.count++
	if len(e.blocks) == 0 {
		e.blocks, e.owned = []block{{one}}, []bool{true}
		return
	}
	e.own(in)
	e.setBlock(in, slices.Insert(e.blocks[in], at, one))
}

// drop takes an instance out, if it is there, and returns by how much that
// changes the sum of all hashes.
func (e *listEdit) drop(id string) uint64 {
	block, at, found := e.find(id)
	if !found {
		return 0
	}
	e.own(block)
	before := e.blocks[block][at].sum
	e.count--
	e.setBlock(block, slices.Delete(e.blocks[block], at, at+1))
	return -before
}

func (e *listEdit) own(block int) {
	if e.owned == nil {
		e.blocks, e.owned = slices.Clone(e.blocks), make([]bool, len(e.blocks))
	}
	if !e.owned[block] {
		e.blocks[block], e.owned[block] = slices.Clone(e.blocks[block]), true
	}
}

// setBlock puts an owned block in its place: in two halves if it is too large,
// and not at all if it is empty.
func (e *listEdit) setBlock(at int, b block) {
	switch {
	case len(b) == 0:
		e.blocks, e.owned = slices.Delete(e.blocks, at, at+1), slices.Delete(e.owned, at, at+1)
	case len(b) > blockMost:
		e.blocks[at] = b[:blockFill:blockFill]
		e.blocks, e.owned = slices.Insert(e.blocks, at+1, b[blockFill:]), slices.Insert(e.owned, at, true)
	default:
		e.blocks[at] = b
	}
}
