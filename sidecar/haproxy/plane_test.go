package haproxy

import (
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/sidecar/planetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of a plane of a test's own. Its folder has a short name,
// because sockets are made there.
func options(t *testing.T) Options {
	t.Helper()
	data, err := os.MkdirTemp("", "fl-haproxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(folder{data}.file(logFile))
			t.Logf("haproxy said: %s", log)
		}
		_ = os.RemoveAll(data)
	})
	return Options{
		Realm: planetest.Realm, Addr: "127.0.0.1:0", Data: data, Grace: time.Second, Spare: 8,
		Aside:  newAside(t, builtin.Options{}),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// newAside is the built-in plane, as the sidecar has it.
func newAside(t *testing.T, opts builtin.Options) Aside {
	t.Helper()
	opts.Realm, opts.Logger = planetest.Realm, slog.New(slog.NewTextHandler(t.Output(), nil))
	plane, err := builtin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return plane
}

func newPlane(t *testing.T, opts Options) *Plane {
	t.Helper()
	plane, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return plane
}

func TestContract(t *testing.T) {
	planetest.Run(t, makePlane)
}

func makePlane(t *testing.T, ways planetest.Ways) planetest.Plane {
	return planeOf(t, opening(t, options(t), ways))
}

func planeOf(t *testing.T, opts Options) planetest.Plane {
	plane := newPlane(t, opts)
	return planetest.Plane{
		DataPlane: plane, Up: plane.Up(), Addr: func() string { return plane.Status().Addr }, Doors: func() []string { return plane.Status().Doors },
	}
}

// opening are options of a plane with more ways in.
func opening(t *testing.T, opts Options, ways planetest.Ways) Options {
	opts.Realms, opts.Others = slices.Sorted(maps.Keys(ways.Realms)), ways.Others
	opts.Aside = newAside(t, builtin.Options{Realms: ways.Realms, ProxyOthers: ways.Others, Zone: ways.Zone})
	opts.Zone = ways.Zone
	opts.MaxConnections = ways.MaxConnections
	for _, d := range ways.Doors {
		opts.Doors = append(opts.Doors, Door(d))
	}
	return opts
}
