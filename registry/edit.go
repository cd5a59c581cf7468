package registry

import "strings"

// An Edit takes changes of one service and makes one table of them, at the cost
// of one copy of what they touch together. It belongs to one goroutine.
type Edit struct {
	table   *Table
	service Service
	list    listEdit
	changed bool
}

// Edit begins to change a service; the table stays as it is.
func (t *Table) Edit(service string) Edit {
	s := t.Service(service)
	if s == nil {
		return Edit{table: t, service: Service{Name: strings.Clone(service)}}
	}
	return Edit{table: t, service: *s, list: listEdit{list: s.list}}
}

// Revision is that of the service after the changes so far.
func (e *Edit) Revision() uint64 { return e.service.Revision }

// IsEmpty tells whether the service has no instances after the changes so far,
// and nothing is known of it.
func (e *Edit) IsEmpty() bool { return e.list.count == 0 && e.service.Meta.IsZero() }

// Apply takes the next change. It reports false, and changes nothing, if the
// change is of the condition of an instance that is not there.
func (e *Edit) Apply(c *Change) bool {
	switch {
	case c.Meta != nil:
		e.describe(*c.Meta, c.Revision)
	case c.Condition != nil:
		return e.condition(c)
	case c.Instance == nil:
		e.drop(c.Gone, c.Revision)
	default:
		in := *c.Instance
		in.Service, in.Revision = e.service.Name, c.Revision
		e.put(&in)
	}
	return true
}

// Table returns the table after the changes, which is the one before if there
// were none. It ends the edit.
func (e *Edit) Table() *Table {
	if !e.changed {
		return e.table
	}
	s := e.service
	s.list = e.list.list
	return e.table.with(&s)
}

func (e *Edit) at(revision uint64) { e.service.Revision, e.changed = revision, true }

func (e *Edit) condition(c *Change) bool {
	block, at, found := e.list.find(c.Condition.ID)
	if !found {
		return false
	}
	in := *e.list.blocks[block][at].Instance
	in.take(c.Condition, c.Revision)
	e.at(c.Revision)
	e.service.hash += e.list.replace(block, at, &in)
	return true
}

func (e *Edit) put(in *Instance) {
	e.at(in.Revision)
	e.service.hash += e.list.put(in)
}

func (e *Edit) drop(id string, revision uint64) {
	e.at(revision)
	e.service.hash += e.list.drop(id)
}

func (e *Edit) describe(m Meta, revision uint64) {
	e.at(revision)
	e.service.hash += m.Hash(e.service.Name) - e.service.Meta.Hash(e.service.Name)
	e.service.Meta, e.service.MetaRevision = m, revision
}
