package protocol

import (
	"strings"
	"testing"

	"fairlead.dev/registry"
)

func TestSubjects(t *testing.T) {
	k := registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
	realm, service := registry.Interest{Realm: "local"}, registry.Interest{Realm: "local", Service: "identity"}
	for got, want := range map[string]string{
		Subject(Register, k): "atlas.v1.register.local.identity.host001-5000",
		Pattern(Heartbeat):   "atlas.v1.heartbeat.>",
		Snapshot(realm):      "atlas.v1.snapshot.local",
		Snapshot(service):    "atlas.v1.snapshot.local.identity",
		Digest(realm):        "atlas.v1.digest.local",
		Digest(service):      "atlas.v1.digest.local.identity",
		Routes(realm):        "atlas.v1.routes.local.*",
		Routes(service):      "atlas.v1.routes.local.identity",
	} {
		if got != want {
			t.Errorf("got %s, expected %s", got, want)
		}
	}
}

func TestKeyOfReadsWhatSubjectWrites(t *testing.T) {
	k := registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
	for _, verb := range []string{Register, Heartbeat, Deregister, Flag, Weight, Drain} {
		if got, ok := KeyOf(Subject(verb, k)); !ok || got != k {
			t.Errorf("%s: %v, %v", verb, got, ok)
		}
	}
	for _, subject := range []string{"", "atlas.v1.register.local.identity", "atlas.v1.register.local.identity.a.b", "other.v1.register.local.identity.a"} {
		if k, ok := KeyOf(subject); ok {
			t.Errorf("%q names %v", subject, k)
		}
	}
}

func TestInterestOfReadsWhatSnapshotWrites(t *testing.T) {
	for _, in := range []registry.Interest{{Realm: "local"}, {Realm: "local", Service: "identity"}} {
		if got, ok := InterestOf(Snapshot(in)); !ok || got != in {
			t.Errorf("%v: %v, %v", in, got, ok)
		}
	}
	for _, subject := range []string{"", "atlas.v1.snapshot", "atlas.v1.snapshot.a.b.c", "x.y.z.a", strings.Repeat(".", 100)} {
		if in, ok := InterestOf(subject); ok {
			t.Errorf("%q names %v", subject, in)
		}
	}
}
