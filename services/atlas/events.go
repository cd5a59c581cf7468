package atlas

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/schemas"
)

// eventsOf returns what a transition means to those who read events. It is
// pure: the same transition always gives the same events.
func eventsOf(epoch string, t transition) []schemas.Data {
	about := aboutOf(epoch, t)
	switch {
	case isOwn(t.entry.key) || t.entry.cause == causeRebuilt:
		return nil
	case t.problem != "":
		return []schemas.Data{quarantined(about, t)}
	}
	var all []schemas.Data
	if t.recovered {
		all = append(all, recovered(about, t))
	}
	switch {
	case t.key == registry.Key{}:
		return all
	case t.aspect == aspectMeta:
		return append(all, serviceEvents(about, t)...)
	case t.aspect == aspectRecord:
		return append(all, recordEvents(about, t)...)
	case t.aspect == aspectFlag:
		return append(all, flagEvents(about, t)...)
	case t.aspect == aspectWeight:
		return append(all, weightEvent(about, t))
	}
	return append(all, drainEvent(about, t))
}

func aboutOf(epoch string, t transition) schemas.AboutInstance {
	return schemas.AboutInstance{
		AboutService: schemas.AboutService{Realm: t.key.Realm, Service: t.key.Service},
		Instance:     t.key.Instance,
		Revision:     schemas.Revision{Epoch: epoch, Sequence: t.entry.seq},
	}
}

// serviceEvents tells of what is known of a service only if that is something
// else than before.
func serviceEvents(about schemas.AboutInstance, t transition) []schemas.Data {
	if t.metaAfter == nil {
		return nil
	}
	e := schemas.ServiceUpdated{AboutService: about.AboutService, Revision: about.Revision}
	if m := t.metaAfter; !m.IsZero() {
		e.Meta = &schemas.Meta{
			Owner: m.Owner, Description: m.Description, Repository: m.Repository,
			OpenAPI: m.OpenAPI, Health: m.Health, Tags: m.Tags, Policy: policyOf(m.Policy), Rules: rulesOf(m.Rules),
		}
	}
	return []schemas.Data{e}
}

func rulesOf(rules []registry.Rule) (told []schemas.Rule) {
	for _, r := range rules {
		rule := schemas.Rule{PathPrefix: r.PathPrefix, Header: schemas.HeaderMatch(r.Header)}
		for _, share := range r.Split {
			rule.Split = append(rule.Split, schemas.Share(share))
		}
		told = append(told, rule)
	}
	return told
}

func policyOf(p registry.Policy) *schemas.Policy {
	if p == (registry.Policy{}) {
		return nil
	}
	told := &schemas.Policy{
		Attempts: p.Attempts, Hedge: p.Hedge,
		IdempotencyKey: p.IdempotencyKey, RouteOverride: p.RouteOverride,
	}
	if p.Timeout > 0 {
		told.Timeout = p.Timeout.String()
	}
	if p.TryTimeout > 0 {
		told.TryTimeout = p.TryTimeout.String()
	}
	return told
}

func recordEvents(about schemas.AboutInstance, t transition) []schemas.Data {
	before, after := t.recordBefore, t.recordAfter
	switch {
	case after == nil && before == nil:
		return nil
	case after == nil:
		return []schemas.Data{departure(about, t)}
	case before == nil || before.Atlas.Incarnation != after.Atlas.Incarnation:
		return append(versionChange(about, before, after), registered(about, before, after))
	}
	var all []schemas.Data
	if registrationChanged(before, after) {
		all = append(versionChange(about, before, after), schemas.InstanceUpdated{
			AboutInstance: about, Incarnation: after.Atlas.Incarnation, Registration: schemas.Registration(after.Registration),
		})
	}
	if before.status() != after.status() {
		all = append(all, schemas.InstanceStatusChanged{
			AboutInstance: about, Incarnation: after.Atlas.Incarnation,
			From: string(before.status()), To: string(after.status()), Cause: after.Atlas.Cause,
		})
	}
	return all
}

func registrationChanged(before, after *record) bool {
	a := record{Registration: before.Registration}
	b := record{Registration: after.Registration}
	return string(a.encode()) != string(b.encode())
}

func registered(about schemas.AboutInstance, before, after *record) schemas.Data {
	e := schemas.InstanceRegistered{
		AboutInstance: about, Incarnation: after.Atlas.Incarnation,
		Registration: schemas.Registration(after.Registration), Status: string(after.status()),
	}
	if before != nil {
		e.PreviousIncarnation = before.Atlas.Incarnation
	}
	return e
}

func versionChange(about schemas.AboutInstance, before, after *record) []schemas.Data {
	if before == nil || before.Version == after.Version {
		return nil
	}
	return []schemas.Data{schemas.DeployVersionChanged{
		AboutInstance: about, Incarnation: after.Atlas.Incarnation, From: before.Version, To: after.Version,
	}}
}

func departure(about schemas.AboutInstance, t transition) schemas.Data {
	life := t.recordBefore.Atlas.Incarnation
	if cause, ok := strings.CutPrefix(t.entry.cause, causeEvicted+": "); ok {
		return schemas.InstanceEvicted{AboutInstance: about, Incarnation: life, Cause: cause}
	}
	cause := t.entry.cause
	if cause == "" {
		cause = "deleted by hand"
	}
	return schemas.InstanceDeregistered{AboutInstance: about, Incarnation: life, Cause: cause}
}

// flagEvents compares what the flag meant before and after: setting what was
// so already, for another reason, is told too.
func flagEvents(about schemas.AboutInstance, t transition) []schemas.Data {
	before, after := t.flagBefore, t.flagAfter
	switch {
	case after != nil && !after.Enabled:
		return []schemas.Data{schemas.InstanceDisabled{
			AboutInstance: about, Owner: after.Owner, Reason: after.Reason, Until: after.Until,
		}}
	case before == nil || before.Enabled:
		return nil
	}
	e := schemas.InstanceEnabled{AboutInstance: about, Cause: t.entry.cause}
	if after != nil {
		e.Owner, e.Reason = after.Owner, after.Reason
	}
	return []schemas.Data{e}
}

func weightEvent(about schemas.AboutInstance, t transition) schemas.Data {
	e := schemas.InstanceWeightChanged{AboutInstance: about}
	if w := t.weightAfter; w != nil {
		e.Weight, e.Owner, e.Reason = w.Weight, w.Owner, w.Reason
	}
	return e
}

func drainEvent(about schemas.AboutInstance, t transition) schemas.Data {
	e := schemas.InstanceDrainChanged{AboutInstance: about}
	if d := t.drainAfter; d != nil {
		e.Drain, e.Owner, e.Reason = d.Drain, d.Owner, d.Reason
	}
	return e
}

func quarantined(about schemas.AboutInstance, t transition) schemas.Data {
	service, instance := scopeOf(about)
	return schemas.EntryQuarantined{
		AboutService: service, Instance: instance, Revision: about.Revision,
		Key: t.entry.key, Problem: t.problem,
	}
}

func recovered(about schemas.AboutInstance, t transition) schemas.Data {
	service, instance := scopeOf(about)
	return schemas.EntryRecovered{AboutService: service, Instance: instance, Revision: about.Revision, Key: t.entry.key}
}

// scopeOf stands in for what a key that makes no sense does not name.
func scopeOf(about schemas.AboutInstance) (schemas.AboutService, string) {
	if about.Realm == "" {
		return schemas.AboutService{Realm: schemas.UnknownRealm, Service: schemas.PlatformService}, ""
	}
	return about.AboutService, about.Instance
}

// eventID is the same whenever, and by whichever node, a transition is
// announced, so the stream keeps each event once. It ends in a code that only
// those who know the bucket's secret can make: programs choose the ids of
// their own events, and whoever guessed the next one of ours could take its
// place.
func eventID(secret, epoch string, seq uint64, part string) string {
	id := fmt.Sprintf("%s-%d-%s", epoch, seq, part)
	return id + "-" + codeOfID(secret, id)
}

func codeOfID(secret, id string) string {
	code := hmac.New(sha256.New, []byte(secret))
	_, _ = code.Write([]byte(id))
	return hex.EncodeToString(code.Sum(nil)[:10])
}

// parseCursor reads an id of [eventID]. Anything else, and what was made
// without the secret, gives the zero cursor.
func parseCursor(secret, id string) cursor {
	parts := strings.Split(id, "-")
	if len(parts) != 4 {
		return cursor{}
	}
	seq, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil || id != eventID(secret, parts[0], seq, parts[2]) {
		return cursor{}
	}
	return cursor{epoch: parts[0], seq: seq}
}

// announceWindow bounds how far back a starting node announces what it cannot
// know to have been announced.
const announceWindow = time.Hour

// A cursor is where the announcing of events stood when this node started.
type cursor struct {
	epoch string
	seq   uint64
}

// before tells whether an entry of the bucket still has to be announced.
func (c cursor) before(epoch string, e entry, now time.Time) bool {
	if c.epoch == epoch && c.seq > 0 {
		return e.seq > c.seq
	}
	return now.Sub(e.at) < announceWindow
}
