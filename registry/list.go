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
	blocks [][]*Instance
	count  int
}

// newList keeps the instances of the slice.
func newList(sorted []Instance) list {
	if len(sorted) == 0 {
		return list{}
	}
	each := make([]*Instance, len(sorted))
	for i := range sorted {
		each[i] = &sorted[i]
	}
	l := list{count: len(sorted)}
	if len(each) <= blockMost {
		l.blocks = [][]*Instance{each}
		return l
	}
	l.blocks = make([][]*Instance, 0, len(each)/blockFill+1)
	for block := range slices.Chunk(each, blockFill) {
		l.blocks = append(l.blocks, block)
	}
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
			all = append(all, *in)
		}
	}
	return all
}

// find returns where an id is, or would have to be: in the last block that
// does not begin after it.
func (l list) find(id string) (block, at int, found bool) {
	block, found = slices.BinarySearchFunc(l.blocks, id, func(b []*Instance, id string) int { return strings.Compare(b[0].ID, id) })
	if found || len(l.blocks) == 0 {
		return block, 0, found
	}
	block = max(block-1, 0)
	at, found = slices.BinarySearchFunc(l.blocks[block], id, func(i *Instance, id string) int { return strings.Compare(i.ID, id) })
	return block, at, found
}

// with returns the list with one instance replaced or added.
func (l list) with(in Instance) list {
	block, at, found := l.find(in.ID)
	switch {
	case len(l.blocks) == 0:
		return newList([]Instance{in})
	case found:
		changed := slices.Clone(l.blocks[block])
		changed[at] = &in
		return list{blocks: replaced(l.blocks, block, changed), count: l.count}
	}
	old := l.blocks[block]
	grown := make([]*Instance, 0, len(old)+1)
	grown = append(append(append(grown, old[:at]...), &in), old[at:]...)
	return list{blocks: replaced(l.blocks, block, halves(grown)...), count: l.count + 1}
}

// without returns the list without an instance.
func (l list) without(id string) list {
	block, at, found := l.find(id)
	if !found {
		return l
	}
	old := l.blocks[block]
	if len(old) == 1 {
		return list{blocks: replaced(l.blocks, block), count: l.count - 1}
	}
	shrunk := slices.Concat(old[:at], old[at+1:])
	return list{blocks: replaced(l.blocks, block, shrunk), count: l.count - 1}
}

func halves(block []*Instance) [][]*Instance {
	if len(block) <= blockMost {
		return [][]*Instance{block}
	}
	return [][]*Instance{block[:blockFill:blockFill], block[blockFill:]}
}

func replaced(blocks [][]*Instance, at int, by ...[]*Instance) [][]*Instance {
	return slices.Concat(blocks[:at], by, blocks[at+1:])
}
