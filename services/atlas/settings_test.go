package atlas

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
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
