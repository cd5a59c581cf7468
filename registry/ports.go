package registry

import (
	"context"
	"crypto/rand"
	"slices"
	"time"
)

// A Life is what a registrant chooses: a random id of this life of the
// instance, which everybody may know, and a secret that only the registrant
// and Atlas do. Being the registrant's choice, both survive a request that has
// to be sent again because its answer was lost. Atlas fills in what is empty.
type Life struct {
	Incarnation string
	Token       string
}

// Bounds of a token, in characters. Atlas's own, and those of package
// registrar, have 26 of base 32.
const (
	minToken = 16
	maxToken = 128
	maxLife  = 64
)

// Validate reports every field that is out of bounds; empty ones are not.
func (l Life) Validate() error {
	var errs FieldErrors
	if len(l.Incarnation) > maxLife || !printable(l.Incarnation) {
		errs.Addf("incarnation", "must be at most %d printable characters", maxLife)
	}
	if l.Token != "" && (len(l.Token) < minToken || len(l.Token) > maxToken || !printable(l.Token)) {
		errs.Addf("token", "must be %d to %d printable characters", minToken, maxToken)
	}
	return errs.Err()
}

// WithDefaults returns the life with what is empty made up at random.
func (l Life) WithDefaults() Life {
	if l.Incarnation == "" {
		l.Incarnation = rand.Text()
	}
	if l.Token == "" {
		l.Token = rand.Text()
	}
	return l
}

// A Lease is an instance's right to be listed. Heartbeats keep it; they and
// the deregistration name its incarnation and token, so a late message of an
// earlier life cannot touch it.
type Lease struct {
	Incarnation string   `json:"incarnation"`
	Token       string   `json:"token"`
	Revision    Revision `json:"revision"`
	// Every is how often a heartbeat is expected, TTL how long the lease
	// lasts without one.
	Every time.Duration `json:"every"`
	TTL   time.Duration `json:"ttl"`
}

// A Heartbeat keeps a lease and reports the instance's own health.
type Heartbeat struct {
	Incarnation string
	Token       string
	Status      Status
	// InFlight is the number of requests being served; Load is free for the
	// service to define, 0 to 1 by convention.
	InFlight int
	Load     float64
}

// Atlas is the registry as programs see it. Every method is a request that
// waits for an answer, bounded by its context. Implementations may be used
// concurrently.
//
// Errors: input problems are [FieldErrors] or [*FieldError]; refusals wrap
// [ErrUnknown], [ErrStale], [ErrConflict] or [ErrRevision]; no answer wraps
// [ErrUnavailable] or the context's error.
type Atlas interface {
	// Register creates a registration, or replaces one of the same endpoint.
	// Another endpoint under the same key is refused with ErrConflict while
	// the old one holds its lease and is not proven dead. Repeating a request
	// of the same life is harmless: its lease has the same token again.
	Register(ctx context.Context, key Key, r Registration, life Life) (Lease, error)
	// Heartbeat keeps a lease. ErrUnknown means: register again. ErrStale
	// means that another incarnation holds the key.
	Heartbeat(ctx context.Context, key Key, beat Heartbeat) error
	// Deregister ends a lease at once. Unknown keys are no error: what was to
	// be gone is gone.
	Deregister(ctx context.Context, key Key, incarnation, token string) error

	// SetFlag, SetWeight and SetDrain set an operator's override, nil takes
	// it away: where there was none, the revision's sequence is zero. None of
	// them needs the instance to be registered.
	SetFlag(ctx context.Context, key Key, flag *Flag) (Revision, error)
	SetWeight(ctx context.Context, key Key, weight *Weight) (Revision, error)
	SetDrain(ctx context.Context, key Key, drain *Drain) (Revision, error)
	// SetMeta replaces what is known of a service, nil takes it away, as with
	// overrides; the service needs no instances. Unless expect is nil, it is
	// the epoch and [Service.MetaRevision] that the metadata to be replaced
	// has, the sequence zero where there is none: another one is refused with
	// ErrRevision, so that nobody undoes what he has not seen.
	SetMeta(ctx context.Context, key ServiceKey, meta *Meta, expect *Revision) (Revision, error)
}

// A Beater sends heartbeats without waiting for an answer, where a transport
// can. A nil error says only that the message left.
type Beater interface {
	Beat(key Key, beat Heartbeat) error
}

// Interest is what a table follows: one service, or with an empty Service the
// whole realm.
type Interest struct {
	Realm   string
	Service string
}

// A Snapshot is everything of an interest as of one revision.
type Snapshot struct {
	Revision Revision          `json:"revision"`
	Realm    string            `json:"realm"`
	Services []ServiceSnapshot `json:"services"`
}

// A ServiceSnapshot is one service in a snapshot.
type ServiceSnapshot struct {
	Name      string     `json:"service"`
	Revision  uint64     `json:"revision"`
	Instances []Instance `json:"instances"`
	// Meta is what is known of the service, since MetaRevision.
	Meta         Meta   `json:"meta,omitzero"`
	MetaRevision uint64 `json:"meta_revision,omitempty"`
}

// Changes are changes of one service that were published together, in the
// order of their revisions.
type Changes struct {
	Epoch   string   `json:"epoch"`
	Realm   string   `json:"realm"`
	Service string   `json:"service"`
	Changes []Change `json:"changes"`
}

// Clone returns changes that a listener may keep.
func (c *Changes) Clone() *Changes {
	kept := *c
	kept.Changes = slices.Clone(c.Changes)
	for i := range kept.Changes {
		if at := &kept.Changes[i]; at.Condition != nil {
			condition := *at.Condition
			at.Condition = &condition
		}
	}
	return &kept
}

// A Change is one instance that changed or left, or new metadata.
type Change struct {
	// Revision is this change's sequence, Previous that of the change of the
	// same service that was told before it: a listener that holds an older one
	// missed some. Not told are conditions of instances of which a later change
	// of the same message tells; a snapshot may be as of one of those.
	// Previous is zero if the registry knew of nothing of the service, be it
	// new or forgotten.
	Revision uint64 `json:"revision"`
	Previous uint64 `json:"previous"`
	// Exactly one of these is set: the new view of an instance, the new
	// condition of one whose registration stayed as it was, the id of one
	// that left, or what is known of the service now. Metadata that was taken
	// away is there and zero.
	Instance  *Instance  `json:"instance,omitempty"`
	Condition *Condition `json:"condition,omitempty"`
	Gone      string     `json:"gone,omitempty"`
	Meta      *Meta      `json:"meta,omitempty"`
}

// A Digest tells a listener what it should hold: the hash of a service, or
// with an empty Service of the whole realm.
type Digest struct {
	Epoch    string `json:"epoch"`
	Realm    string `json:"realm"`
	Service  string `json:"service,omitempty"`
	Revision uint64 `json:"revision"`
	Hash     string `json:"hash"`
	// Sole says that the registry has no other copy that could know better.
	Sole bool `json:"sole,omitempty"`
}

// An Update is one thing a listener hears; exactly one field is set.
type Update struct {
	Changes *Changes
	Digest  *Digest
	// Lost says that messages may have been missed (the connection was gone,
	// or the listener was too slow): ask for a snapshot.
	Lost bool
}

// A Source is where tables come from. Listen calls hear for every update, one
// at a time, in the order of arrival, from a goroutine of the source's own,
// until stop is called; stop waits for a call under way. hear must not block,
// and changes are its own only until it returns: see [Changes.Clone].
type Source interface {
	Listen(interest Interest, hear func(Update)) (stop func(), err error)
	Snapshot(ctx context.Context, interest Interest) (Snapshot, error)
}

// A SettingsSource is where the settings of services are read.
type SettingsSource interface {
	// Settings returns all settings of a service as of a revision; a service
	// that has none is no error. The errors are those of [Atlas].
	Settings(ctx context.Context, k ServiceKey) (Settings, error)
	// ListenSettings calls hear for every change of a service's settings, one
	// at a time and in rising order of their revisions, until stop is called;
	// stop waits for a call under way. What is missed while the registry is
	// out of reach is learned by asking for all again. hear must not block.
	ListenSettings(k ServiceKey, hear func(Setting)) (stop func(), err error)
}

// A SettingsStore can change settings too.
type SettingsStore interface {
	SettingsSource
	// Configure sets one of a service's settings, nil takes it away: where
	// there was none, the revision's sequence is zero. The service needs no
	// instances.
	Configure(ctx context.Context, k ServiceKey, name string, value *string) (Revision, error)
}

// A Saved snapshot outlives the process that followed it.
type Saved struct {
	Snapshot
	// Confirmed is when it was last known to be current.
	Confirmed time.Time
}

// A Cache keeps the last snapshot of each interest, for a start while the
// registry is away. Implementations may be used concurrently; every method may
// wait for a disk.
type Cache interface {
	// Load returns what was saved last and is whole. The error wraps
	// [ErrNotCached] when there is none.
	Load(interest Interest) (Saved, error)
	// Save replaces what is kept, or fails and leaves it as it was.
	Save(interest Interest, s Saved) error
	// Confirm notes that what is kept was current at a later moment.
	Confirm(interest Interest, at time.Time) error
}

// A Resolver yields what is known of a service. The first call for a service
// may wait for the registry, bounded by ctx; later ones answer from memory.
// The errors are [ErrNoSuchService] and [ErrNeverSeen]; a service whose
// instances are all disabled is no error here.
type Resolver interface {
	Resolve(ctx context.Context, service string) (*Service, error)
}

// A Watcher yields the current table, and tells when there is a newer one.
type Watcher interface {
	// Table never returns nil. The channel is closed when a newer table is
	// there.
	Table() (*Table, <-chan struct{})
}
