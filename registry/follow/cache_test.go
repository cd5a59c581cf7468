package follow

import (
	"context"
	"errors"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

// cached runs a test with a cache that an earlier process has filled: it
// followed until a moment ago, and the registry then went away.
func cached(t *testing.T, opts Options, test func(*fixture, *memory.Cache)) {
	cache := new(memory.Cache)
	opts.Cache = cache
	inBubble(t, opts, func(f *fixture) {
		f.register("identity", "a", "b")
		before := New(f.table.opts)
		before.Start()
		if opts.WholeRealm {
			_ = before.Ready(context.Background())
		} else if _, err := before.Resolve(context.Background(), "identity"); err != nil {
			t.Fatal(err)
		}
		before.Close()
		f.reg.GoAway()
		test(f, cache)
	})
}

func (f *fixture) origin() registry.TableSource {
	t, _ := f.table.Table()
	return t.Source
}

func TestATableStartsFromTheCache(t *testing.T) {
	for name, opts := range map[string]Options{"realm": {WholeRealm: true}, "service": {}} {
		t.Run(name, func(t *testing.T) {
			cached(t, opts, func(f *fixture, _ *memory.Cache) {
				f.table.Start()
				began := time.Now()
				s, err := f.table.Resolve(context.Background(), "identity")
				if err != nil || s.Len() != 2 || time.Since(began) > 100*time.Millisecond {
					t.Fatalf("resolved %d instances, %v, after %s", s.Len(), err, time.Since(began))
				}
				if f.table.Ready(context.Background()) != nil || f.origin() != registry.Cached {
					t.Errorf("source %s", f.origin())
				}
				pass(time.Hour)
				if s, err := f.table.Resolve(context.Background(), "identity"); err != nil || s.Len() != 2 || f.table.Age() < time.Hour {
					t.Errorf("after an hour: %d instances, %v, age %s", s.Len(), err, f.table.Age())
				}
				f.reg.ComeBack()
				pass(5 * time.Second)
				f.equal()
				if f.origin() != registry.Live || f.table.Age() > 10*time.Second {
					t.Errorf("source %s, age %s", f.origin(), f.table.Age())
				}
			})
		})
	}
}

func TestASilentRegistryIsWaitedFor(t *testing.T) {
	cached(t, Options{WholeRealm: true}, func(f *fixture, _ *memory.Cache) {
		f.reg.ComeBack()
		open := f.source.close()
		began := time.Now()
		f.start()
		if took := time.Since(began); took != time.Second || f.origin() != registry.Cached {
			t.Errorf("ready after %s from %s", took, f.origin())
		}
		open()
		f.equal()
		if f.origin() != registry.Live {
			t.Errorf("source %s", f.origin())
		}
	})
}

func TestTheCacheIsNotUsedWhenTheRegistryAnswers(t *testing.T) {
	cached(t, Options{WholeRealm: true}, func(f *fixture, _ *memory.Cache) {
		f.reg.ComeBack()
		if err := f.reg.Deregister(context.Background(), key("identity", "a"), "", ""); err != nil {
			f.reg.Forget()
		}
		f.start()
		f.equal()
		if f.origin() != registry.Live {
			t.Errorf("source %s", f.origin())
		}
	})
}

func TestWhatLeftMeanwhileGoesAtOnce(t *testing.T) {
	cached(t, Options{WholeRealm: true}, func(f *fixture, cache *memory.Cache) {
		in := registry.Interest{Realm: "local"}
		saved, _ := cache.Load(in)
		left := saved.Services[0].Instances[0]
		left.ID = "left"
		saved.Services[0].Instances = append([]registry.Instance{left}, saved.Services[0].Instances...)
		_ = cache.Save(in, saved)
		f.start()
		if f.status("identity", "left") != registry.Passing {
			t.Fatal("the cache was not used")
		}
		f.reg.ComeBack()
		pass(3 * time.Second)
		f.equal()
	})
}

func TestWhatANewEpochLacksStaysAsSuspect(t *testing.T) {
	cached(t, Options{WholeRealm: true, Grace: 6 * time.Second}, func(f *fixture, cache *memory.Cache) {
		f.start()
		f.reg.Forget()
		f.reg.ComeBack()
		pass(3 * time.Second)
		if s := f.status("identity", "a"); s != registry.Suspect {
			t.Errorf("status %q", s)
		}
		saves := cache.Saves()
		pass(2 * time.Second)
		if cache.Saves() != saves {
			t.Error("a table in doubt was saved")
		}
		pass(10 * time.Second)
		f.equal()
		if saved, err := cache.Load(registry.Interest{Realm: "local"}); err != nil || len(saved.Services) != 0 {
			t.Errorf("saved %+v, %v", saved, err)
		}
	})
}

// change changes the routing of one instance.
func (f *fixture) change() {
	f.changes++
	f.weigh("identity", "a", f.changes)
}

func TestATableIsSavedWhenItHasSettled(t *testing.T) {
	cache := new(memory.Cache)
	inBubble(t, Options{WholeRealm: true, Cache: cache}, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		for range 10 {
			pass(settle / 2)
			f.change()
		}
		if n := cache.Saves(); n != 0 {
			t.Errorf("saved %d times while changes came", n)
		}
		pass(settle)
		if n := cache.Saves(); n != 1 {
			t.Errorf("saved %d times, expected once", n)
		}
		for range 100 {
			pass(settle / 2)
			f.change()
		}
		if n := cache.Saves(); n < 3 || n > 5 {
			t.Errorf("saved %d times in 100 s of changes, expected every 30 s", n)
		}
	})
}

func TestASavedTableIsConfirmed(t *testing.T) {
	cache := new(memory.Cache)
	inBubble(t, Options{WholeRealm: true, Cache: cache}, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		for range 60 {
			pass(2 * time.Second)
			f.reg.PublishDigest()
		}
		saved, err := cache.Load(registry.Interest{Realm: "local"})
		if age := time.Since(saved.Confirmed); err != nil || cache.Saves() != 1 || age > 35*time.Second {
			t.Errorf("confirmed %s ago after %d saves, %v", age, cache.Saves(), err)
		}
	})
}

func TestMistypedNamesLeaveNothingInTheCache(t *testing.T) {
	cache := new(memory.Cache)
	inBubble(t, Options{Cache: cache}, func(f *fixture) {
		f.table.Start()
		_, err := f.table.Resolve(context.Background(), "idnetity")
		pass(5 * time.Second)
		if !errors.Is(err, registry.ErrNoSuchService) || cache.Saves() != 0 {
			t.Errorf("%v, saved %d times", err, cache.Saves())
		}
	})
}

// A stuck cache fails to save.
type stuck struct {
	memory.Cache
	tries int
}

func (s *stuck) Save(registry.Interest, registry.Saved) error {
	s.tries++
	return errors.New("disk is full")
}

func TestAFailedSaveIsTriedAgain(t *testing.T) {
	cache := new(stuck)
	inBubble(t, Options{WholeRealm: true, Cache: cache}, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		pass(5 * time.Minute)
		if cache.tries < 5 || cache.tries > 11 {
			t.Errorf("tried %d times in 5 minutes", cache.tries)
		}
		f.equal()
	})
}
