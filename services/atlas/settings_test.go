package atlas

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/schemas"
)

func TestSettingsAreHeardWhoeverPutsThem(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	heard := make(chan registry.Setting, 16)
	stop, err := client.ListenSettings(identity, func(s registry.Setting) { heard <- s })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	hello := "hello"
	set, err := client.Configure(t.Context(), identity, "GREETING", &hello)
	if err != nil {
		t.Fatal(err)
	}
	if s := <-heard; s.Name != "GREETING" || s.Value != hello || s.Revision != set.Sequence || s.Gone {
		t.Errorf("heard %+v", s)
	}
	js, err := jetstream.New(b.atlas.NATS())
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), provision.SettingsBucket)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"greeting", "BY_HAND"} {
		if _, err := kv.PutString(t.Context(), identity.Dotted()+"."+name, "good day"); err != nil {
			t.Fatal(err)
		}
	}
	if s := <-heard; s.Name != "BY_HAND" || s.Value != "good day" {
		t.Errorf("heard %+v", s)
	}
	all, err := client.Settings(t.Context(), identity)
	if err != nil || len(all.Settings) != 2 || all.Invalid["greeting"] == "" || all.Revision.Sequence != 3 || all.Revision.Epoch == "" {
		t.Errorf("settings are %+v, %v", all, err)
	}
	if _, err := client.Configure(t.Context(), identity, "BY_HAND", nil); err != nil {
		t.Fatal(err)
	}
	if s := <-heard; s.Name != "BY_HAND" || !s.Gone {
		t.Errorf("heard %+v", s)
	}
	var fields registry.FieldErrors
	long := strings.Repeat("x", 5000)
	if _, err := client.Configure(t.Context(), identity, "GREETING", &long); !errors.As(err, &fields) || fields[0].Field != "value" {
		t.Errorf("a long value: %v", err)
	}
}

func TestSettingsBecomeEventsWithoutTheirValues(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	events := b.feed(t, "feed.v1.local.identity.setting.changed")
	secret := "not for every reader"
	set, err := client.Configure(t.Context(), identity, "GREETING", &secret)
	if err != nil {
		t.Fatal(err)
	}
	data := events(t)
	var told schemas.SettingChanged
	if err := json.Unmarshal(data, &told); err != nil || told.Name != "GREETING" || told.Gone || told.Revision.Sequence != set.Sequence || told.Revision.Epoch != set.Epoch {
		t.Errorf("told of %+v, %v", told, err)
	}
	if strings.Contains(string(data), secret) {
		t.Errorf("the event has the value: %s", data)
	}
}

func TestABucketOfSettingsDeletedByHandIsMadeAgain(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	hello := "hello"
	before, err := client.Configure(t.Context(), identity, "GREETING", &hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.js.DeleteStream(t.Context(), settingsStream); err != nil {
		t.Fatal(err)
	}
	n.mendStreams(t.Context())
	after, err := client.Configure(t.Context(), identity, "GREETING", &hello)
	if err != nil || after.Epoch == before.Epoch || after.Sequence != 1 {
		t.Errorf("set at %s, and anew at %s, %v", before, after, err)
	}
}
