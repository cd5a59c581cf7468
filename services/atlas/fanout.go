package atlas

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

const (
	// changesAtMost keeps a message well below the payload limit.
	changesAtMost = 400
	// digestsSpared is how many digests in a row a service may go without
	// while it changes: listeners ask by themselves after seven.
	digestsSpared = 2
)

// fanout publishes changes and digests. The owner of the state calls it.
type fanout struct {
	// sole tells that the bucket has one copy.
	sole  bool
	nc    *nats.Conn
	log   *slog.Logger
	timer *time.Timer
	due   time.Time // when the timer fires; zero if it does not
	open  map[registry.Interest]*batch
	// spared counts the digests that a service went without.
	spared map[registry.Interest]int
}

// A batch holds the changes of one service that wait for their turn.
type batch struct {
	pace    pace
	changes registry.Changes
}

func newFanout(nc *nats.Conn, log *slog.Logger) *fanout {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &fanout{nc: nc, log: log, timer: t, open: map[registry.Interest]*batch{}, spared: map[registry.Interest]int{}}
}

func changeOf(t transition) registry.Change {
	c := registry.Change{Revision: t.entry.seq, Previous: t.previous}
	switch {
	case t.metaAfter != nil:
		c.Meta = t.metaAfter
	case t.after == nil:
		c.Gone = t.key.Instance
	case t.before != nil && t.after.DiffersInCondition(t.before):
		condition := t.after.Condition()
		c.Condition = &condition
	default:
		c.Instance = t.after
	}
	return c
}

// add publishes a change, or holds it until it is the service's turn.
func (f *fanout) add(epoch string, t transition, now time.Time) {
	b := f.batch(registry.Interest{Realm: t.key.Realm, Service: t.key.Service})
	if b.changes.Epoch != epoch {
		f.sendBatch(b, now)
		b.changes.Epoch = epoch
	}
	b.changes.Changes = append(b.changes.Changes, changeOf(t))
	if !now.Before(b.pace.next) || len(b.changes.Changes) >= changesAtMost {
		f.sendBatch(b, now)
	}
	f.wake(b.due(), now)
}

func (f *fanout) batch(of registry.Interest) *batch {
	b := f.open[of]
	if b == nil {
		b = &batch{changes: registry.Changes{Realm: of.Realm, Service: of.Service}}
		f.open[of] = b
	}
	return b
}

func (f *fanout) sendBatch(b *batch, now time.Time) {
	if len(b.changes.Changes) == 0 {
		return
	}
	b.changes.Changes = latest(b.changes.Changes)
	f.publish(b.changes)
	b.pace.spend(now, len(b.changes.Changes))
	b.changes.Changes = nil
}

// latest leaves out each condition of an instance of which a later change tells:
// a message makes one table, in which nobody would see it, and in a storm that
// is every third change. What came after it then follows what came before it.
// It uses the slice.
func latest(all []registry.Change) []registry.Change {
	if len(all) < 2 {
		return all
	}
	told, first := make(map[string]bool, len(all)), len(all)
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		if c.Condition != nil && told[c.Condition.ID] {
			all[first].Previous = c.Previous
			continue
		}
		if id := instanceOf(&c); id != "" {
			told[id] = true
		}
		first--
		all[first] = c
	}
	return all[first:]
}

// instanceOf is the id of the instance that a change is of, if it is of one.
func instanceOf(c *registry.Change) string {
	switch {
	case c.Instance != nil:
		return c.Instance.ID
	case c.Condition != nil:
		return c.Condition.ID
	}
	return c.Gone
}

// due is when a batch is to be looked at: to be sent, or to be forgotten.
func (b *batch) due() time.Time {
	if len(b.changes.Changes) > 0 {
		return b.pace.next
	}
	return b.pace.rest
}

// forget drops what waits: it is somebody else's to publish.
func (f *fanout) forget() { clear(f.open) }

// wake has flush called at a moment, if it is not called earlier.
func (f *fanout) wake(at, now time.Time) {
	if f.due.IsZero() || at.Before(f.due) {
		f.due = at
		f.timer.Reset(max(at.Sub(now), time.Millisecond))
	}
}

// flush publishes what waited long enough, and forgets the services that have
// rested.
func (f *fanout) flush(now time.Time) {
	f.due = time.Time{}
	for of, b := range f.open {
		switch {
		case now.Before(b.due()):
		case len(b.changes.Changes) == 0:
			delete(f.open, of)
			continue
		default:
			f.sendBatch(b, now)
		}
		f.wake(b.due(), now)
	}
}

func (f *fanout) publish(c registry.Changes) {
	f.send(&nats.Msg{Subject: protocol.Routes(registry.Interest{Realm: c.Realm, Service: c.Service}), Data: protocol.PackChanges(&c)})
}

// digests publishes a realm's digest and those of its services, or of all that
// are not to be spared.
func (f *fanout) digests(t *registry.Table, all bool) {
	f.sendDigest(t.Digest(""))
	for s := range t.Services() {
		if all || !f.spare(registry.Interest{Realm: t.Realm, Service: s.Name}) {
			f.sendDigest(t.Digest(s.Name))
		}
	}
}

// spare tells whether a service goes without this digest. Those that change
// right now do: the next change tells as well whether one was missed, and a
// digest would cost a thousand listeners as much as a change does.
func (f *fanout) spare(of registry.Interest) bool {
	if f.open[of] == nil || f.spared[of] >= digestsSpared {
		delete(f.spared, of)
		return false
	}
	f.spared[of]++
	return true
}

func (f *fanout) sendDigest(d registry.Digest) {
	// A struct of texts and a number always encodes.
	d.Sole = f.sole
	data, _ := json.Marshal(d)
	f.send(&nats.Msg{
		Subject: protocol.Digest(registry.Interest{Realm: d.Realm, Service: d.Service}), Data: data,
		Header: nats.Header{protocol.KindHeader: {protocol.KindDigest}},
	})
}

// send publishes without an ack: whoever misses it learns that from a digest
// or from the next change.
func (f *fanout) send(m *nats.Msg) {
	if err := f.nc.PublishMsg(m); err != nil {
		f.log.Warn("not published", "subject", m.Subject, "error", err)
	}
}
