package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	js := b.streams(t)
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

func TestARealmsAllowedNetworks(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	realm := registry.ServiceKey{Realm: "local", Service: registry.RealmService}
	configure := func(value *string) error {
		_, err := client.Configure(t.Context(), realm, registry.NetworksSetting, value)
		return err
	}
	refused := func(err error, field string) bool {
		var fields registry.FieldErrors
		return errors.As(err, &fields) && fields[0].Field == field
	}
	within := func(host string) error {
		r := registry.Registration{Host: host, Port: 5000}.WithDefaults()
		k := registry.Key{Realm: "local", Service: "identity", Instance: "at-" + strings.ReplaceAll(host, ".", "-")}
		_, err := client.Register(t.Context(), k, r, registry.Life{})
		return err
	}
	if err := within("192.0.2.1"); err != nil {
		t.Errorf("nothing is set: %v", err)
	}
	for _, value := range []string{"10.0.0.0/33", ""} {
		if err := configure(&value); !refused(err, "value") {
			t.Errorf("%q: %v", value, err)
		}
	}
	allowed := "10.0.0.0/8, .example.org"
	if err := configure(&allowed); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"10.0.0.7": true, "192.0.2.2": false, "127.0.0.1": false, "a.example.org": true, "a.example.net": false} {
		if err := within(host); (err == nil) != want || err != nil && !refused(err, "host") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := client.Configure(t.Context(), realm, "ALLOWED_NETWORK", &allowed); !refused(err, "name") {
		t.Errorf("a misspelt name: %v", err)
	}
	if err := configure(nil); err != nil {
		t.Fatal(err)
	}
	if err := within("192.0.2.2"); err != nil {
		t.Errorf("it was taken away: %v", err)
	}
}

// TestAnEmptyBoundPutByHand: it was taken for none.
func TestAnEmptyBoundPutByHand(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	js := b.streams(t)
	kv, err := js.KeyValue(t.Context(), provision.SettingsBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "local."+registry.RealmService+"."+registry.NetworksSetting, ""); err != nil {
		t.Fatal(err)
	}
	client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
	k := registry.Key{Realm: "local", Service: "identity", Instance: "identity-1"}
	if _, err := client.Register(t.Context(), k, registry.Registration{Host: "192.0.2.1", Port: 5000}.WithDefaults(), registry.Life{}); err == nil {
		t.Error("what is empty allows anything")
	}
}

// What was read counts for a while, and for longer while nothing can be read.
func TestNetworksAreReadNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some, err := registry.ParseNetworks("10.0.0.0/8")
		if err != nil {
			t.Fatal(err)
		}
		var x networks
		reads, away := 0, errors.New("away")
		get := func(says registry.Networks, fails error) error {
			allowed, err := x.realm("local").get(t.Context(), func(context.Context) (registry.Networks, error) { reads++; return says, fails })
			return errors.Join(err, allowed.Allow("192.0.2.1"))
		}
		if err := get(registry.Networks{}, away); !errors.Is(err, away) {
			t.Errorf("never read: %v", err)
		}
		if err := get(some, nil); err == nil || reads != 2 {
			t.Errorf("after %d reads: %v", reads, err)
		}
		if err := get(registry.Networks{}, nil); err == nil || reads != 2 {
			t.Errorf("still known, after %d reads: %v", reads, err)
		}
		<-time.After(networksFor)
		if err := get(registry.Networks{}, away); err == nil || errors.Is(err, away) || reads != 3 {
			t.Errorf("the last word counts, after %d reads: %v", reads, err)
		}
		<-time.After(networksFor)
		if err := get(registry.Networks{}, nil); err != nil || reads != 4 {
			t.Errorf("read anew, after %d reads: %v", reads, err)
		}
		x.forget("local")
		if err := get(some, nil); err == nil || reads != 5 {
			t.Errorf("forgotten, after %d reads: %v", reads, err)
		}
	})
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
