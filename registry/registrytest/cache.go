package registrytest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// RunCache runs what every [registry.Cache] has to do. start makes an empty
// one.
func RunCache(t *testing.T, start func(t *testing.T) registry.Cache) {
	realm := registry.Interest{Realm: "local"}
	service := registry.Interest{Realm: "local", Service: "identity"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t.Run("an empty cache has nothing", func(t *testing.T) {
		c := start(t)
		if _, err := c.Load(realm); !errors.Is(err, registry.ErrNotCached) {
			t.Errorf("load: %v", err)
		}
		if err := c.Confirm(realm, at); err == nil {
			t.Error("nothing was confirmed")
		}
	})
	t.Run("what was saved last is loaded", func(t *testing.T) {
		c := start(t)
		for _, one := range []registry.Saved{saved("3f9c", 7, at), saved("77aa", 2, at.Add(time.Hour))} {
			save(t, c, realm, one)
			expect(t, c, realm, one)
		}
	})
	t.Run("interests are kept apart", func(t *testing.T) {
		c := start(t)
		save(t, c, realm, saved("3f9c", 7, at))
		save(t, c, service, saved("3f9c", 9, at))
		expect(t, c, realm, saved("3f9c", 7, at))
		expect(t, c, service, saved("3f9c", 9, at))
		if _, err := c.Load(registry.Interest{Realm: "test"}); !errors.Is(err, registry.ErrNotCached) {
			t.Errorf("load of another realm: %v", err)
		}
	})
	t.Run("what goes on being current is confirmed", func(t *testing.T) {
		c := start(t)
		save(t, c, realm, saved("3f9c", 7, at))
		if err := c.Confirm(realm, at.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := saved("3f9c", 7, at)
		want.Confirmed = at.Add(time.Hour)
		expect(t, c, realm, want)
	})
}

func saved(epoch string, sequence uint64, at time.Time) registry.Saved {
	in := registry.Instance{
		Service: "identity", ID: "a-1", Scheme: "http", Host: "127.0.0.1", Port: 5000, Weight: 100,
		Metadata: map[string]string{"git": epoch}, Status: registry.Passing, Enabled: true, Since: at, Revision: sequence,
	}
	return registry.Saved{Confirmed: at, Snapshot: registry.Snapshot{
		Realm: "local", Revision: registry.Revision{Epoch: epoch, Sequence: sequence},
		Services: []registry.ServiceSnapshot{{
			Name: "identity", Revision: sequence, Instances: []registry.Instance{in},
			Meta: registry.Meta{Owner: "ana"}, MetaRevision: 1,
		}},
	}}
}

func save(t *testing.T, c registry.Cache, in registry.Interest, s registry.Saved) {
	t.Helper()
	if err := c.Save(in, s); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c registry.Cache, in registry.Interest, want registry.Saved) {
	t.Helper()
	got, err := c.Load(in)
	if err != nil || !got.Confirmed.Equal(want.Confirmed) || !reflect.DeepEqual(got.Snapshot, want.Snapshot) {
		t.Errorf("loaded %+v, %v\nsaved %+v", got, err, want)
	}
}
