package follow

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"fairlead.dev/registry"
)

// A voice is a source that says what a test has it say.
type voice struct {
	still
	mu    sync.Mutex
	hears map[string]func(registry.Update)
}

func (v *voice) Listen(in registry.Interest, hear func(registry.Update)) (func(), error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hears[in.Service] = hear
	return func() {}, nil
}

func (v *voice) Snapshot(_ context.Context, in registry.Interest) (registry.Snapshot, error) {
	s := v.snapshot
	for _, service := range v.snapshot.Services {
		if service.Name == in.Service {
			s.Services = []registry.ServiceSnapshot{service}
		}
	}
	return s, nil
}

// flip says that an instance of a service is disabled, with the next revision.
func (v *voice) flip(service, id string, previous uint64) {
	v.mu.Lock()
	hear := v.hears[service]
	v.mu.Unlock()
	hear(registry.Update{Changes: &registry.Changes{Epoch: "e", Realm: "local", Service: service, Changes: []registry.Change{
		{Revision: previous + 1, Previous: previous, Condition: &registry.Condition{ID: id, Status: registry.Passing}},
	}}})
}

// hearing runs a test of a table that follows some services. At first all is
// quiet.
func hearing(t *testing.T, services []string, test func(*voice, *Follower)) {
	synctest.Test(t, func(t *testing.T) {
		v := &voice{still: stillRealm(len(services), 3), hears: map[string]func(registry.Update){}}
		for i, name := range services {
			v.snapshot.Services[i].Name = name
		}
		f := New(Options{Source: v, Realm: "local", Services: services, Logger: slog.New(slog.DiscardHandler)})
		f.Start()
		defer f.Close()
		if err := f.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		test(v, f)
	})
}

// TestAChangeIsAppliedWhereItIsHeard: no other goroutine is waited for.
func TestAChangeIsAppliedWhereItIsHeard(t *testing.T) {
	hearing(t, []string{"identity"}, func(v *voice, f *Follower) {
		_, changed := f.Table()
		v.flip("identity", "host00001-5000", 9)
		select {
		case <-changed:
		default:
			t.Error("whoever watches was not woken")
		}
		table, _ := f.Table()
		if in, _ := table.Service("identity").Instance("host00001-5000"); in.Enabled || table.Revision.Sequence != 10 {
			t.Errorf("at %s the instance is %+v", table.Revision, in)
		}
	})
}

// TestSourcesMaySpeakAtOnce: several services change at the same time, while
// the goroutine has turns of its own, and nothing is lost or out of order.
func TestSourcesMaySpeakAtOnce(t *testing.T) {
	services := []string{"identity", "billing", "search", "mail"}
	hearing(t, services, func(v *voice, f *Follower) {
		for _, name := range services {
			go func() {
				for n := range uint64(500) {
					v.flip(name, "host00001-5000", 9+n)
					if n%50 == 0 {
						f.inbox.wake()
					}
				}
			}()
		}
		synctest.Wait()
		table, _ := f.Table()
		for _, name := range services {
			if s := table.Service(name); s.Revision != 509 {
				t.Errorf("%s is at %d, expected 509", name, s.Revision)
			}
		}
		if stats := f.Stats(); stats.Resyncs != 0 || stats.Changes != 2000 {
			t.Errorf("%+v, expected 2000 changes and no resync", stats)
		}
	})
}
