package settings

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

var identity = registry.ServiceKey{Realm: "local", Service: "identity"}

// A fixture is a keeper on a registry in memory, in virtual time.
type fixture struct {
	*testing.T
	registry *memory.Registry
	keeper   *Keeper
	changes  []string // read after synctest.Wait only
}

func run(t *testing.T, test func(*fixture)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{T: t, registry: memory.New(memory.Options{})}
		f.keeper = New(Options{
			Source: f.registry, OnConnect: f.registry.OnConnect, Key: identity,
			Changed: func(names []string) { f.changes = append(f.changes, names...) },
			Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		defer f.registry.Close()
		defer f.keeper.Close()
		test(f)
	})
}

func (f *fixture) set(name, value string) {
	f.Helper()
	if _, err := f.registry.Configure(f.Context(), identity, name, &value); err != nil {
		f.Fatal(err)
	}
}

// after lets time pass, and everybody come to rest.
func (f *fixture) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (f *fixture) has(name, want string) {
	f.Helper()
	if got, _ := f.keeper.Values().Lookup(name); got != want {
		f.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestReadsAtTheStartAndHearsEveryChange(t *testing.T) {
	run(t, func(f *fixture) {
		f.set("GREETING", "hello")
		f.keeper.Start()
		if err := f.keeper.Loaded(f.Context()); err != nil {
			f.Fatal(err)
		}
		f.has("GREETING", "hello")
		f.set("GREETING", "good day")
		f.set("LIMIT", "5")
		synctest.Wait()
		f.has("GREETING", "good day")
		f.has("LIMIT", "5")
		if _, err := f.registry.Configure(f.Context(), identity, "LIMIT", nil); err != nil {
			f.Fatal(err)
		}
		synctest.Wait()
		f.has("LIMIT", "")
		if want := []string{"GREETING", "GREETING", "LIMIT", "LIMIT"}; !slices.Equal(f.changes, want) {
			f.Errorf("heard of %q, want %q", f.changes, want)
		}
	})
}

func TestKeepsWhatItKnowsWhileTheRegistryIsAway(t *testing.T) {
	run(t, func(f *fixture) {
		f.set("GREETING", "hello")
		f.keeper.Start()
		synctest.Wait()
		f.registry.GoAway()
		f.after(time.Hour)
		f.has("GREETING", "hello")
		f.registry.ComeBack()
		f.registry.DropNextChange()
		f.set("GREETING", "good day")
		f.after(crowd)
		f.has("GREETING", "good day")
	})
}

func TestStartsWhileTheRegistryIsAway(t *testing.T) {
	run(t, func(f *fixture) {
		f.set("GREETING", "hello")
		f.registry.GoAway()
		f.keeper.Start()
		short, cancel := context.WithTimeout(f.Context(), time.Second)
		defer cancel()
		if err := f.keeper.Loaded(short); !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("while it is away: %v", err)
		}
		f.has("GREETING", "")
		f.registry.ComeBack()
		if err := f.keeper.Loaded(f.Context()); err != nil {
			f.Error(err)
		}
		f.has("GREETING", "hello")
	})
}

func TestWhatWasMissedIsMadeGoodWithinAMinuteOrSo(t *testing.T) {
	run(t, func(f *fixture) {
		f.keeper.Start()
		synctest.Wait()
		f.registry.DropNextChange()
		f.set("GREETING", "hello")
		f.after(10 * time.Second)
		f.has("GREETING", "")
		f.after(time.Minute)
		f.has("GREETING", "hello")
	})
}

func TestANewEpochReplacesAll(t *testing.T) {
	run(t, func(f *fixture) {
		f.set("GREETING", "hello")
		f.set("LIMIT", "5")
		f.keeper.Start()
		synctest.Wait()
		f.set("GREETING", "good day")
		f.registry.Forget()
		f.set("GREETING", "hi") // of a lower revision than what is held
		f.after(crowd)
		f.has("GREETING", "hi")
		f.has("LIMIT", "")
	})
}

func TestManyChangesAtOnce(t *testing.T) {
	run(t, func(f *fixture) {
		f.keeper.Start()
		for range 4 * heardMost {
			f.set("GREETING", "hello")
		}
		f.set("GREETING", "good day")
		f.after(crowd)
		f.has("GREETING", "good day")
	})
}

func TestClosedKeeperSaysSo(t *testing.T) {
	run(t, func(f *fixture) {
		f.keeper.Close()
		f.keeper.Close()
		if err := f.keeper.Loaded(f.Context()); !errors.Is(err, registry.ErrUnavailable) {
			f.Errorf("got %v", err)
		}
	})
}

func TestPause(t *testing.T) {
	tests := []struct {
		err         error
		failures    int
		least, most time.Duration
	}{
		{nil, 0, 54 * time.Second, 66 * time.Second},
		{registry.ErrUnavailable, 1, 250 * time.Millisecond, 500 * time.Millisecond},
		{registry.ErrUnavailable, 3, time.Second, 2 * time.Second},
		{registry.ErrUnavailable, 1000, 5 * time.Second, 10 * time.Second},
	}
	for _, tt := range tests {
		for range 100 {
			if got := pause(tt.err, tt.failures, time.Minute); got < tt.least || got > tt.most {
				t.Fatalf("after %v, %d times: %s", tt.err, tt.failures, got)
			}
		}
	}
}
