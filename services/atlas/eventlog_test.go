package atlas

import (
	"maps"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"fairlead.dev/bus"
	"fairlead.dev/schemas"
)

func TestAnEventIsWrittenAsTheBusWritesEvents(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("east", 3600))
	data := schemas.RegistryRebuilt{
		AboutService: schemas.AboutService{Realm: "local", Service: schemas.PlatformService}, Instances: 7,
	}
	e := event.New()
	e.SetID("e1-7-0-aa")
	e.SetSource(eventSource)
	e.SetType(string(data.EventType()))
	e.SetTime(at)
	e.SetDataSchema(data.EventType().SchemaURI())
	if err := e.SetData(event.ApplicationJSON, data); err != nil {
		t.Fatal(err)
	}
	want, err := bus.EncodeEvent("events.v1.local.atlas.registry.rebuilt", e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := platformEvent{data: data, id: "e1-7-0-aa", at: at}.message()
	if err != nil {
		t.Fatal(err)
	}
	same := maps.EqualFunc(got.Header, want.Header, func(a, b []string) bool { return len(a) == 1 && len(b) == 1 && a[0] == b[0] })
	if !same || got.Subject != want.Subject || string(got.Data) != string(want.Data) {
		t.Errorf("got %s %v %s, want %s %v %s", got.Subject, got.Header, got.Data, want.Subject, want.Header, want.Data)
	}
}

func TestACursorIsReadOnlyFromAnIDMadeWithTheSecret(t *testing.T) {
	id := eventID("s1", "e1", 42, "0")
	if c := parseCursor("s1", id); c != (cursor{epoch: "e1", seq: 42}) {
		t.Errorf("%s is read as %+v", id, c)
	}
	for _, forged := range []string{
		eventID("s2", "e1", 42, "0"), "e1-43-0" + id[len("e1-42-0"):], "e1-42-0", "e1-42", "", "e1-x-0-" + id, "---",
	} {
		if c := parseCursor("s1", forged); c != (cursor{}) {
			t.Errorf("%q is read as %+v", forged, c)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("e1-42-0-00112233445566778899")
	f.Fuzz(func(t *testing.T, id string) {
		if c := parseCursor("nobody knows", id); c != (cursor{}) {
			t.Errorf("%q is read as %+v", id, c)
		}
	})
}
