package history

import (
	"fmt"

	"fairlead.dev/registry"
)

// A Line is the revisions of one table, in the order in which a reader saw
// them. The zero value is ready; one goroutine uses it.
type Line struct {
	last registry.Revision
	seen map[string]bool
}

// Add returns an error if a table went back: to an earlier sequence, or to an
// epoch that it had left.
func (l *Line) Add(r registry.Revision) error {
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	before := l.last
	l.last = r
	switch {
	case r.Epoch == before.Epoch && r.Sequence < before.Sequence:
		return fmt.Errorf("a table went back from %v to %v", before, r)
	case r.Epoch != before.Epoch && l.seen[r.Epoch]:
		return fmt.Errorf("a table went back to epoch %s: from %v to %v", r.Epoch, before, r)
	}
	l.seen[r.Epoch] = true
	return nil
}
