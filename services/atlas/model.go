package atlas

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"fairlead.dev/registry"
)

// An entry is one message of the bucket: a value put, or a key deleted, by
// Atlas or by hand.
type entry struct {
	key     string
	value   []byte
	seq     uint64
	deleted bool
	at      time.Time
	// cause is why Atlas wrote it, from a header; hand edits have none.
	cause string
	// record is what the value says, where this node has just written it and
	// need not read it.
	record *record
}

// A slot is everything the bucket says of one instance: the last good value of
// each aspect, and the sequence of each key's last message, good or not, which
// the next compare-and-set must name.
type slot struct {
	key    registry.Key
	record *record
	flag   *registry.Flag
	weight *registry.Weight
	drain  *registry.Drain
	seqs   [aspects]uint64
	// view is the table's own, once that is made.
	view *registry.Instance
}

// A transition is what one entry changed. Before and After are routing views,
// nil where the instance is not listed.
type transition struct {
	key    registry.Key
	aspect aspect
	entry  entry

	before, after             *registry.Instance
	recordBefore, recordAfter *record
	flagBefore, flagAfter     *registry.Flag
	weightAfter               *registry.Weight
	drainAfter                *registry.Drain
	// metaAfter is set where something else is known of a service now.
	metaAfter *registry.Meta
	previous  uint64
	// problem is why the entry was quarantined, recovered that a quarantined
	// key is good again.
	problem   string
	recovered bool
}

// routes tells whether routers have to hear of it.
func (t transition) routes() bool {
	switch {
	case t.metaAfter != nil:
		return true
	case t.before == nil || t.after == nil:
		return t.before != t.after
	}
	return t.before.Revision != t.after.Revision
}

// A model is the bucket's meaning. Applying the same entries in the same order
// gives the same model. It is owned by one goroutine, but the tables it holds
// are immutable and may be handed out.
type model struct {
	epoch       string
	secret      string
	seq         uint64
	slots       map[registry.Key]*slot
	services    map[registry.ServiceKey]*serviceSlot
	realms      map[string]*realm
	quarantined map[string]string
	// strikes counts the bad values that a key got one after the other.
	strikes map[string]int
	words   words
	// loading is set while the bucket is replayed: the tables are then made
	// once at the end, not once an entry.
	loading *loading
}

// loading is what the tables of a replay will need.
type loading struct {
	services map[registry.ServiceKey]uint64 // sequence of the last change of routing
	realms   map[string]uint64              // sequence of the last entry
	// lastOnly is set where only the last entry of each key is replayed. What
	// it changed is then not known: it counts as a change of routing.
	lastOnly bool
}

// newReplay returns a model to replay a bucket into; finish it.
func newReplay() *model {
	m := newModel()
	m.loading = &loading{services: map[registry.ServiceKey]uint64{}, realms: map[string]uint64{}}
	return m
}

func newModel() *model {
	return &model{
		slots:       map[registry.Key]*slot{},
		services:    map[registry.ServiceKey]*serviceSlot{},
		realms:      map[string]*realm{},
		quarantined: map[string]string{},
		strikes:     map[string]int{},
	}
}

// apply takes the next entry. Rubbish changes nothing but the quarantine: the
// last good value stays in force.
func (m *model) apply(e entry) transition {
	m.seq = max(m.seq, e.seq) // a replay may read some keys after others
	t := transition{entry: e}
	switch e.key {
	case epochKey:
		m.takeOwn(&t, &m.epoch)
		return t
	case secretKey:
		m.takeOwn(&t, &m.secret)
		return t
	}
	if strings.HasPrefix(e.key, servicesPrefix) {
		m.takeMeta(&t)
		return t
	}
	key, a, err := parseBucketKey(e.key)
	if err != nil {
		m.quarantine(&t, err)
		return t
	}
	s := m.slot(key)
	t.key, t.aspect = s.key, a
	s.seqs[a] = e.seq
	t.before, t.recordBefore, t.flagBefore = s.view, s.record, s.flag
	if err := s.set(a, e); err != nil {
		m.quarantine(&t, err)
	} else {
		m.release(&t)
		if a == aspectRecord {
			m.words.record(s.record)
		}
	}
	m.fold(s, &t)
	return t
}

// takeOwn takes over what the bucket says of itself. It ignores a deletion: a
// bucket has its epoch and its secret for life.
func (m *model) takeOwn(t *transition, value *string) {
	if t.entry.deleted {
		return
	}
	if !ownForm.Match(t.entry.value) {
		m.quarantine(t, fmt.Errorf("%s: must be 2 to 32 letters and digits", t.entry.key))
		return
	}
	*value = string(t.entry.value)
	m.release(t)
}

// ownForm is that of a randomID; "e1" and the like serve tests.
var ownForm = regexp.MustCompile(`^[A-Za-z0-9]{2,32}$`)

func (m *model) quarantine(t *transition, err error) {
	if t.entry.deleted {
		m.release(t)
		return
	}
	t.problem = err.Error()
	m.quarantined[t.entry.key] = t.problem
	m.strikes[t.entry.key]++
}

func (m *model) release(t *transition) {
	_, t.recovered = m.quarantined[t.entry.key]
	delete(m.quarantined, t.entry.key)
	delete(m.strikes, t.entry.key)
}

func (m *model) slot(k registry.Key) *slot {
	s := m.slots[k]
	if s == nil {
		s = &slot{key: m.words.key(k)}
		m.slots[s.key] = s
	}
	return s
}

// set takes an entry's value over, or leaves everything as it was and says
// what is wrong with it.
func (s *slot) set(a aspect, e entry) (err error) {
	switch a {
	case aspectRecord:
		return replace(&s.record, e, e.readRecord)
	case aspectFlag:
		return replace(&s.flag, e, pointer(registry.DecodeFlag))
	case aspectWeight:
		return replace(&s.weight, e, pointer(registry.DecodeWeight))
	default:
		return replace(&s.drain, e, pointer(registry.DecodeDrain))
	}
}

func replace[T any](at **T, e entry, decode func([]byte) (*T, error)) error {
	if e.deleted {
		*at = nil
		return nil
	}
	v, err := decode(e.value)
	if err != nil {
		return err
	}
	*at = v
	return nil
}

func (e entry) readRecord(data []byte) (*record, error) {
	if e.record != nil {
		return e.record, nil
	}
	return decodeRecord(data)
}

func pointer[T any](decode func([]byte) (T, error)) func([]byte) (*T, error) {
	return func(data []byte) (*T, error) {
		v, err := decode(data)
		return &v, err
	}
}

// fold brings the view and the realm's table up to date and completes the
// transition.
func (m *model) fold(s *slot, t *transition) {
	t.after = s.fold(s.key, t.entry)
	if t.after != nil && s.view != nil && !m.loading.isLastOnly() && t.after.Hash() == s.view.Hash() {
		t.after = s.view
	}
	t.recordAfter, t.flagAfter = s.record, s.flag
	t.weightAfter, t.drainAfter = s.weight, s.drain
	if m.loading != nil {
		m.loading.note(t)
	} else {
		m.enter(t)
	}
	s.view = t.after
}

// enter notes what the realm's table will need and completes the transition.
func (m *model) enter(t *transition) {
	r := m.realms[t.key.Realm]
	if r == nil {
		r = m.hold(registry.NewTable(t.key.Realm, m.epoch))
	}
	t.previous = r.revision(t.key.Service)
	if t.routes() {
		r.add(t.key.Service, wholeChange(*t))
	}
	r.at = registry.Revision{Epoch: m.epoch, Sequence: t.entry.seq}
}

// wholeChange is what a transition makes of the realm's own table, with all of
// an instance even where routers are told of its condition only.
func wholeChange(t transition) registry.Change {
	c := registry.Change{Revision: t.entry.seq, Instance: t.after, Meta: t.metaAfter}
	if t.after == nil && t.metaAfter == nil {
		c.Gone = t.key.Instance
	}
	return c
}

func (l *loading) note(t *transition) {
	k := t.key.ServiceKey()
	t.previous = l.services[k]
	if t.routes() || l.lastOnly && t.aspect == aspectRecord {
		l.services[k] = max(l.services[k], t.entry.seq)
	}
	l.realms[k.Realm] = max(l.realms[k.Realm], t.entry.seq)
}

func (l *loading) isLastOnly() bool { return l != nil && l.lastOnly }

// finishAt ends the replay of a bucket that stood at a position. What was there
// last need not be there any more.
func (m *model) finishAt(pos position) {
	m.finish()
	m.seq = max(m.seq, pos.last)
}

// finish makes the tables of a replay. A service that nothing is left of is
// not in them.
func (m *model) finish() {
	l, instances := m.loading, m.describedServices()
	m.loading = nil
	for k, s := range m.slots {
		if s.view != nil {
			instances[k.ServiceKey()] = append(instances[k.ServiceKey()], *s.view)
		}
	}
	tables := map[string]*registry.Table{}
	for name, seq := range l.realms {
		tables[name] = registry.NewTable(name, m.epoch).At(registry.Revision{Epoch: m.epoch, Sequence: seq})
	}
	for k, list := range instances {
		tables[k.Realm] = tables[k.Realm].WithSnapshot(m.snapshot(k, l.services[k], list))
	}
	for _, t := range tables {
		m.hold(t)
	}
	for k, s := range m.slots {
		if s.view != nil {
			s.view = tables[k.Realm].Service(k.Service).Find(k.Instance)
		}
	}
}

// hold takes up a realm. The slots hold the views of its tables, not copies.
func (m *model) hold(t *registry.Table) *realm {
	r := newRealm(t)
	r.listed = func(given, own *registry.Instance) {
		s := m.slots[registry.Key{Realm: t.Realm, Service: own.Service, Instance: own.ID}]
		if s != nil && s.view == given {
			s.view = own
		}
	}
	m.realms[t.Realm] = r
	return r
}

func revisionOf(s *registry.Service) uint64 {
	if s == nil {
		return 0
	}
	return s.Revision
}

// tables returns those of all realms, by name.
func (m *model) tables() map[string]*registry.Table {
	all := make(map[string]*registry.Table, len(m.realms))
	for name, r := range m.realms {
		all[name] = r.current()
	}
	return all
}

// table returns a realm's table, never nil.
func (m *model) table(realm string) *registry.Table {
	if r := m.realms[realm]; r != nil {
		return r.current()
	}
	return registry.NewTable(realm, m.epoch).At(registry.Revision{Epoch: m.epoch, Sequence: m.seq})
}

// fold computes the routing view as of an entry, nil without a registration.
func (s *slot) fold(k registry.Key, e entry) *registry.Instance {
	if s.record == nil {
		return nil
	}
	in := registry.Record{
		Key: k, Registration: s.record.Registration,
		Incarnation: s.record.Atlas.Incarnation, Status: s.record.status(), Since: s.record.Atlas.RegisteredAt,
		Flag: s.flag, Weight: s.weight, Drain: s.drain,
	}.View(e.at)
	in.Revision = e.seq
	return &in
}

// has tells whether there is a good value of an aspect.
func (s *slot) has(a aspect) bool {
	return [aspects]bool{s.record != nil, s.flag != nil, s.weight != nil, s.drain != nil}[a]
}

// encode returns an aspect's good value, nil if there is none.
func (s *slot) encode(a aspect) []byte {
	switch {
	case a == aspectRecord && s.record != nil:
		return s.record.encode()
	case a == aspectFlag && s.flag != nil:
		return encodeOverride(s.flag)
	case a == aspectWeight && s.weight != nil:
		return encodeOverride(s.weight)
	case a == aspectDrain && s.drain != nil:
		return encodeOverride(s.drain)
	}
	return nil
}

func encodeOverride(v any) []byte {
	// Overrides are structs of strings, numbers and times: they encode.
	data, _ := json.Marshal(v)
	return data
}
