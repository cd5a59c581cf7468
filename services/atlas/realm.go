package atlas

import "fairlead.dev/registry"

// A realm is its routing table as it was last asked for, and the changes since.
// Most tables that could be made nobody asks for: of a thousand registrations a
// second, a digest every two seconds and a few snapshots see one each.
type realm struct {
	table   *registry.Table
	at      registry.Revision
	waiting map[string][]registry.Change // by service
	changes int
	// listed is told which instance of the table stands for one of a change;
	// it may be nil.
	listed func(given, own *registry.Instance)
}

// changesWaitMost bounds what waits where nobody ever asks.
const changesWaitMost = 4096

func newRealm(t *registry.Table) *realm {
	return &realm{table: t, at: t.Revision, waiting: map[string][]registry.Change{}}
}

// revision is that of a service's last change of routing, zero if it never had
// one.
func (r *realm) revision(service string) uint64 {
	if list := r.waiting[service]; len(list) > 0 {
		return list[len(list)-1].Revision
	}
	return revisionOf(r.table.Service(service))
}

func (r *realm) add(service string, c registry.Change) {
	r.waiting[service] = append(r.waiting[service], c)
	if r.changes++; r.changes >= changesWaitMost {
		r.current()
	}
}

// current returns the table of now. It is immutable, and the same until
// something changes.
func (r *realm) current() *registry.Table {
	for service, list := range r.waiting {
		r.apply(service, list)
	}
	clear(r.waiting)
	r.changes = 0
	if r.table.Revision != r.at {
		r.table = r.table.At(r.at)
	}
	return r.table
}

func (r *realm) apply(service string, list []registry.Change) {
	for _, c := range list {
		r.table = changed(r.table, service, c)
	}
	for _, c := range list {
		if r.listed == nil || c.Instance == nil {
			continue
		}
		if own := r.table.Service(service).Find(c.Instance.ID); own != nil {
			r.listed(c.Instance, own)
		}
	}
}

func changed(t *registry.Table, service string, c registry.Change) *registry.Table {
	switch {
	case c.Meta != nil:
		return t.WithMeta(service, *c.Meta, c.Revision)
	case c.Instance == nil:
		return t.WithoutInstance(service, c.Gone, c.Revision)
	}
	return t.WithInstance(*c.Instance)
}
