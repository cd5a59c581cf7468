package atlas

import (
	"time"

	"fairlead.dev/registry"
)

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
	// emptied are the services of which nothing is left.
	emptied map[string]emptied
}

// emptied is since when nothing is left of a service, and as of which revision.
type emptied struct {
	since    time.Time
	revision uint64
}

const (
	// forgottenAfter is how long a service of which nothing is left is still
	// told of, by digests above all. A restart forgets it at once.
	forgottenAfter = time.Hour
	// forgetEvery is how often it is looked for such services.
	forgetEvery = time.Minute
)

// changesWaitMost bounds what waits where nobody ever asks.
const changesWaitMost = 4096

func newRealm(t *registry.Table) *realm {
	return &realm{table: t, at: t.Revision, waiting: map[string][]registry.Change{}, emptied: map[string]emptied{}}
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
	edit := r.table.Edit(service)
	for i := range list {
		edit.Apply(&list[i])
	}
	r.table = edit.Table()
	for _, c := range list {
		if r.listed == nil || c.Instance == nil {
			continue
		}
		if own := r.table.Service(service).Find(c.Instance.ID); own != nil {
			r.listed(c.Instance, own)
		}
	}
}

// forget drops the services of which nothing has been left for long. Those who
// listen to one get no digests of it from then on, ask, and learn that there is
// no such service.
func (r *realm) forget(now time.Time) {
	for s := range r.current().Services() {
		since, noted := r.emptied[s.Name]
		switch {
		case s.Len() > 0 || !s.Meta.IsZero():
			delete(r.emptied, s.Name)
		case !noted || since.revision != s.Revision:
			r.emptied[s.Name] = emptied{now, s.Revision}
		case now.Sub(since.since) >= forgottenAfter:
			delete(r.emptied, s.Name)
			r.table = r.table.WithoutService(s.Name)
		}
	}
}
