// Package protocol is the language between Atlas and its clients on the bus:
// subjects, requests, answers and the parts of a snapshot. It is pure, so both
// ends, other transports and the tests share it.
//
// A registration is a request:
//
//	subject  atlas.v1.register.local.identity.host001-5000
//	body     {"registration":{"host":"127.0.0.1","port":5000},"incarnation":"b1f0…"}
//	answer   {"incarnation":"b1f0…","token":"…","revision":{"epoch":"3f9c","sequence":17},
//	          "heartbeat_ms":2000,"lease_ms":6000}
//
// A refusal has a [Problem] for a body and the headers of a NATS micro service
// error. Readers ignore fields they do not know, so that programs of different
// versions live side by side.
package protocol

import (
	"strings"

	"fairlead.dev/registry"
)

// Verbs are the tokens after "atlas.v1." of the requests that name a key.
const (
	Register  = "register"
	Heartbeat = "heartbeat"
	// Beat is a heartbeat that is not answered. It has a subject of its own
	// because the bus carries it for a quarter of what a request costs.
	Beat       = "beat"
	Deregister = "deregister"
	Flag       = "flag"
	Weight     = "weight"
	Drain      = "drain"
)

// Verbs of the requests that name a service.
const (
	Meta    = "meta"
	Explain = "explain"
	// ReadSettings asks for a service's settings, Configure sets one of them:
	// its subject ends in the setting's name.
	ReadSettings = "settings"
	Configure    = "configure"
)

// SettingChanges returns the subject on which the changes of a service's
// settings come, from the bucket itself: the last token is the name.
func SettingChanges(k registry.ServiceKey) string { return prefix + "setting." + k.Dotted() + ".*" }

// ConfigureSubject returns the subject that sets one of a service's settings.
func ConfigureSubject(k registry.ServiceKey, name string) string {
	return ServiceSubject(Configure, k) + "." + name
}

const prefix = "atlas.v1."

// Subject returns the subject of a verb for one instance.
func Subject(verb string, k registry.Key) string { return prefix + verb + "." + k.Dotted() }

// Pattern returns the subject that matches a verb for every instance, and for
// names with a dot in them, so that whoever sends one is told what is wrong
// rather than that nobody listens.
func Pattern(verb string) string { return prefix + verb + ".>" }

// KeyOf returns the key that a subject of a verb names. The parts are as sent:
// validate them. It allocates nothing: heartbeats are many.
func KeyOf(subject string) (registry.Key, bool) {
	_, rest, ok := strings.Cut(strings.TrimPrefix(subject, prefix), ".")
	realm, rest, more := strings.Cut(rest, ".")
	service, instance, last := strings.Cut(rest, ".")
	if !ok || !more || !last || strings.Contains(instance, ".") || !strings.HasPrefix(subject, prefix) {
		return registry.Key{}, false
	}
	return registry.Key{Realm: realm, Service: service, Instance: instance}, true
}

// ServiceSubject returns the subject of a verb for one service.
func ServiceSubject(verb string, k registry.ServiceKey) string {
	return prefix + verb + "." + k.Dotted()
}

// ServiceKeyOf returns the service that a subject of a verb names. The parts
// are as sent: validate them.
func ServiceKeyOf(subject string) (registry.ServiceKey, bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 5 || !strings.HasPrefix(subject, prefix) {
		return registry.ServiceKey{}, false
	}
	return registry.ServiceKey{Realm: parts[3], Service: parts[4]}, true
}

// SnapshotPatterns match the snapshot requests of a realm and of a service.
const (
	SnapshotPatternRealm   = prefix + "snapshot.*"
	SnapshotPatternService = prefix + "snapshot.*.*"
)

// Snapshot returns the subject of a snapshot request.
func Snapshot(in registry.Interest) string { return scoped("snapshot", in) }

// Digest returns the subject of an interest's digests.
func Digest(in registry.Interest) string { return scoped("digest", in) }

// Routes returns the subject of an interest's changes; for a realm it is a
// wildcard.
func Routes(in registry.Interest) string {
	if in.Service == "" {
		return prefix + "routes." + in.Realm + ".*"
	}
	return scoped("routes", in)
}

// IsRoutes tells whether a subject is that of a service's changes.
func IsRoutes(subject, realm, service string) bool {
	rest, ok := strings.CutPrefix(subject, prefix+"routes.")
	return ok && len(rest) == len(realm)+1+len(service) &&
		rest[:len(realm)] == realm && rest[len(realm)] == '.' && rest[len(realm)+1:] == service
}

func scoped(kind string, in registry.Interest) string {
	s := prefix + kind + "." + in.Realm
	if in.Service != "" {
		s += "." + in.Service
	}
	return s
}

// InterestOf returns the interest that a snapshot or digest subject names.
func InterestOf(subject string) (registry.Interest, bool) {
	if !strings.HasPrefix(subject, prefix) {
		return registry.Interest{}, false
	}
	parts := strings.Split(subject, ".")
	switch len(parts) {
	case 4:
		return registry.Interest{Realm: parts[3]}, true
	case 5:
		return registry.Interest{Realm: parts[3], Service: parts[4]}, true
	}
	return registry.Interest{}, false
}

// StatusPattern matches the requests for how the registry stands.
const StatusPattern = prefix + "status.*"

// Status returns the subject that answers how the registry stands, for whoever
// may know of one realm, with a [StatusReply].
func Status(realm string) string { return prefix + "status." + realm }

// Digests carry KindHeader with one of its values, which no answer of the
// registry does. A requester may choose the subject that an answer goes to,
// these among them; listeners drop what lacks the header, and whose kind they
// do not know. Changes are packed, see [PackChanges], and have a mark in their
// body instead; listeners take them with a header too, packed or as JSON.
const (
	KindHeader        = "Fairlead-Kind"
	KindChanges       = "changes"
	KindPackedChanges = "changes.packed1"
	KindDigest        = "digest"
)
