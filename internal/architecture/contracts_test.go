package architecture

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/schemas"
)

// Packages that may not import each other still have to agree.

// This compiles as long as the events' registration has the registry's fields.
var _ = schemas.Registration(registry.Registration{})

// The AsyncAPI document names the subjects that programs really use.
func TestAsyncAPIHasEverySubject(t *testing.T) {
	key := registry.Key{Realm: "{realm}", Service: "{service}", Instance: "{instance}"}
	realm := registry.Interest{Realm: "{realm}"}
	service := registry.Interest{Realm: "{realm}", Service: "{service}"}
	want := []string{
		protocol.Snapshot(realm), protocol.Snapshot(service),
		protocol.Digest(realm), protocol.Digest(service),
		protocol.Routes(service), protocol.Status("{realm}"),
		protocol.ServiceSubject(protocol.Meta, registry.ServiceKey(service)),
		protocol.ServiceSubject(protocol.Explain, registry.ServiceKey(service)),
		protocol.ServiceSubject(protocol.ReadSettings, registry.ServiceKey(service)),
		protocol.ConfigureSubject(registry.ServiceKey(service), "{name}"),
		strings.TrimSuffix(protocol.SettingChanges(registry.ServiceKey(service)), "*") + "{name}",
		bus.EventPrefix + ".{realm}.{service}.{type}",
		bus.FeedPrefix + ".{realm}.{service}.{type}",
	}
	verbs := []string{
		protocol.Register, protocol.Heartbeat, protocol.Beat, protocol.Deregister,
		protocol.Flag, protocol.Weight, protocol.Drain,
	}
	for _, verb := range verbs {
		want = append(want, protocol.Subject(verb, key))
	}
	slices.Sort(want)
	if got := addresses(); !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func addresses() []string {
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^    address: (\S+)$`).FindAllSubmatch(schemas.AsyncAPI(), -1) {
		if address := string(match[1]); address != "null" {
			found = append(found, address)
		}
	}
	slices.Sort(found)
	return found
}

// The types of events have the subjects' tokens and no more.
func TestEventTypesFitSubjects(t *testing.T) {
	for _, typ := range schemas.Types() {
		subject, err := bus.EventSubject("local", "identity", typ.Token())
		if err != nil {
			t.Error(err)
			continue
		}
		if _, _, token, ok := bus.ParseSubject(subject); !ok || token != typ.Token() {
			t.Errorf("%s is read back as %q", subject, token)
		}
	}
}
