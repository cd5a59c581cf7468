package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

func TestTheFirstUseFollowsAService(t *testing.T) {
	inBubble(t, Options{}, func(f *fixture) {
		f.register("identity", "a")
		f.register("billing", "b")
		f.start()
		s, err := f.table.Resolve(context.Background(), "identity")
		if err != nil || s.Len() != 1 {
			t.Fatalf("Resolve: %v, %v", s, err)
		}
		f.disable("identity", "a")
		synctest.Wait()
		s, _ = f.table.Resolve(context.Background(), "identity")
		if in, _ := s.Instance("a"); in.Enabled {
			t.Error("the change was not followed")
		}
		if now, _ := f.table.Table(); now.Service("billing") != nil {
			t.Error("a service that was not asked for is followed")
		}
	})
}

func TestManyFirstUsesAskOnce(t *testing.T) {
	inBubble(t, Options{}, func(f *fixture) {
		f.register("identity", "a")
		open := f.source.close()
		f.table.Start()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := f.table.Resolve(context.Background(), "identity"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		open()
		all.Wait()
		if n := f.source.count(); n != 1 {
			t.Errorf("%d snapshots were asked for, expected 1", n)
		}
	})
}

func TestResolveOfWhatIsNotThere(t *testing.T) {
	for _, opts := range []Options{{}, {WholeRealm: true}} {
		inBubble(t, opts, func(f *fixture) {
			f.start()
			start := time.Now()
			for range 3 {
				if _, err := f.table.Resolve(context.Background(), "identity"); !errors.Is(err, registry.ErrNoSuchService) {
					t.Errorf("Resolve: %v", err)
				}
			}
			if waited := time.Since(start); waited != 0 {
				t.Errorf("waited %s for a service that the registry does not know", waited)
			}
			f.register("identity", "a")
			synctest.Wait()
			if _, err := f.table.Resolve(context.Background(), "identity"); err != nil {
				t.Errorf("after it registered: %v", err)
			}
		})
	}
}

func TestResolveOfAServiceThatVanished(t *testing.T) {
	inBubble(t, Options{}, func(f *fixture) {
		ctx := context.Background()
		lease, err := f.reg.Register(ctx, key("identity", "a"), registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{})
		if err != nil {
			t.Fatal(err)
		}
		f.start()
		if _, err := f.table.Resolve(ctx, "identity"); err != nil {
			t.Fatal(err)
		}
		if err := f.reg.Deregister(ctx, key("identity", "a"), lease.Incarnation, lease.Token); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := f.table.Resolve(ctx, "identity"); !errors.Is(err, registry.ErrNoSuchService) {
			t.Errorf("Resolve: %v", err)
		}
		f.register("identity", "b")
		synctest.Wait()
		if s, err := f.table.Resolve(ctx, "identity"); err != nil || s.Len() != 1 {
			t.Errorf("Resolve: %v, %v", s, err)
		}
	})
}

func TestResolveWhenTheRegistryWasNeverSeen(t *testing.T) {
	for _, opts := range []Options{{}, {WholeRealm: true}} {
		inBubble(t, opts, func(f *fixture) {
			f.reg.GoAway()
			f.table.Start()
			start := time.Now()
			_, err := f.table.Resolve(context.Background(), "identity")
			if !errors.Is(err, registry.ErrNeverSeen) || !errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("Resolve: %v", err)
			}
			if waited := time.Since(start); waited != 2*time.Second {
				t.Errorf("waited %s", waited)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			if _, err = f.table.Resolve(ctx, "identity"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2200*time.Millisecond {
				t.Errorf("Resolve with a deadline, after %s: %v", time.Since(start), err)
			}
			f.reg.ComeBack()
			f.register("identity", "a")
			pass(2 * time.Second)
			if _, err = f.table.Resolve(context.Background(), "identity"); err != nil {
				t.Errorf("Resolve after the registry came: %v", err)
			}
		})
	}
}

func TestResolveOfAnInvalidName(t *testing.T) {
	inBubble(t, Options{}, func(f *fixture) {
		f.start()
		for _, name := range []string{"", "*", "a.b", "Identity", strings.Repeat("x", 300)} {
			if _, err := f.table.Resolve(context.Background(), name); !errors.Is(err, registry.ErrNoSuchService) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Resolve(%q): %v", name, err)
			}
		}
		if n := f.source.count(); n != 0 {
			t.Errorf("%d snapshots were asked for", n)
		}
	})
}

func TestMistypedNamesAreNotFollowedForEver(t *testing.T) {
	inBubble(t, Options{UnknownMost: 8}, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		ctx := context.Background()
		if _, err := f.table.Resolve(ctx, "identity"); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			_, _ = f.table.Resolve(ctx, fmt.Sprintf("typo-%d", i))
			pass(time.Millisecond)
		}
		if n := len(f.table.view.Load().interests); n != 9 {
			t.Errorf("%d services are followed, expected identity and 8 unknown ones", n)
		}
		for range 6 {
			_, _ = f.table.Resolve(ctx, "typo-49") // this one goes on being used
			pass(30 * time.Second)
		}
		if n := len(f.table.view.Load().interests); n != 2 {
			t.Errorf("%d services are followed, expected identity and one that is asked for", n)
		}
		if s, err := f.table.Resolve(ctx, "identity"); err != nil || s.Len() != 1 {
			t.Errorf("identity: %v, %v", s, err)
		}
	})
}

func TestResolveAfterClose(t *testing.T) {
	inBubble(t, Options{}, func(f *fixture) {
		f.start()
		f.table.Close()
		if _, err := f.table.Resolve(context.Background(), "identity"); !errors.Is(err, registry.ErrNeverSeen) {
			t.Errorf("Resolve: %v", err)
		}
	})
}

func TestReadyTellsWhy(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.reg.GoAway()
		f.table.Start()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := f.table.Ready(ctx)
		if !errors.Is(err, registry.ErrNeverSeen) || !errors.Is(err, registry.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestResolveFromMemoryAllocatesNothing(t *testing.T) {
	f := New(Options{Realm: "local"})
	defer f.Close()
	f.view.Store(&view{table: tableOf("identity@3: a b c")})
	ctx := context.Background()
	allocations := testing.AllocsPerRun(1000, func() {
		if s, err := f.Resolve(ctx, "identity"); err != nil || s.Len() != 3 {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
