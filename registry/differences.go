package registry

import (
	"iter"
	"strings"
)

// Since yields the instances that are not as they were, sorted by id: before is
// nil for a new one, after for one that left. Both are the services' own: do not
// change them. Views of a service share what did not change between them, so
// the cost is nearly that of what did.
//
//	for before, after := range now.Since(then) {
//		switch {
//		case before == nil: // new
//		case after == nil: // gone
//		}
//	}
func (s *Service) Since(then *Service) iter.Seq2[*Instance, *Instance] {
	return func(yield func(before, after *Instance) bool) {
		was, is := cursor{blocks: then.all().blocks}, cursor{blocks: s.all().blocks}
		for was.more() || is.more() {
			if was.skipShared(&is) {
				continue
			}
			before, after := next(&was, &is)
			if !before.same(after) && !yield(before.Instance, after.Instance) {
				return
			}
		}
	}
}

// next takes what comes first by id from one of two lists, or from both.
func next(was, is *cursor) (before, after listed) {
	switch order := was.compare(is); {
	case order < 0:
		return was.take(), listed{}
	case order > 0:
		return listed{}, is.take()
	}
	return was.take(), is.take()
}

// same tells whether two views of an instance are of the same revision and
// content.
func (l listed) same(other listed) bool {
	if l.Instance == other.Instance {
		return true
	}
	return l.Instance != nil && other.Instance != nil && l.sum == other.sum && l.Revision == other.Revision
}

// A cursor is a place in a list.
type cursor struct {
	blocks []block
	at     int // in the first block
}

func (c *cursor) more() bool { return len(c.blocks) > 0 }

func (c *cursor) take() listed {
	one := c.blocks[0][c.at]
	if c.at++; c.at == len(c.blocks[0]) {
		c.blocks, c.at = c.blocks[1:], 0
	}
	return one
}

// skipShared steps over a block that both lists have.
func (c *cursor) skipShared(other *cursor) bool {
	if !c.more() || !other.more() || c.at > 0 || other.at > 0 {
		return false
	}
	if a, b := c.blocks[0], other.blocks[0]; len(a) != len(b) || &a[0] != &b[0] {
		return false
	}
	c.blocks, other.blocks = c.blocks[1:], other.blocks[1:]
	return true
}

// compare tells which place comes first by id; the end comes last.
func (c *cursor) compare(other *cursor) int {
	switch {
	case !c.more():
		return 1
	case !other.more():
		return -1
	}
	a, b := c.blocks[0][c.at], other.blocks[0][other.at]
	if a.Instance == b.Instance {
		return 0
	}
	return strings.Compare(a.ID, b.ID)
}
