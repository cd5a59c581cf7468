package proxies

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/cache"
)

const (
	realm = "local"
	// nobody is a bus that refuses: the sidecar starts from what it saved.
	nobody = "nats://127.0.0.1:1"
)

func builtin(p Programs) Proxy {
	return Proxy{Name: "fairlead-builtin", version: []string{p.Fairlead, "version"}, command: func(place Place, dir string, port int) ([]string, error) {
		return sidecar(p, place, dir, port, "builtin")
	}}
}

func haproxyPlane(p Programs) Proxy {
	return Proxy{Name: "fairlead-haproxy", version: []string{p.Fairlead, "version"}, command: func(place Place, dir string, port int) ([]string, error) {
		return sidecar(p, place, dir, port, "haproxy")
	}}
}

// sidecar is the program on its defaults, with a table that it saved before.
func sidecar(p Programs, place Place, dir string, port int, plane string) ([]string, error) {
	if err := Save(dir, Table(place, 1, len(place.Backends))); err != nil {
		return nil, err
	}
	return SidecarCommand(p, dir, port, plane), nil
}

// SidecarCommand runs a sidecar from the table saved in a folder.
func SidecarCommand(p Programs, dir string, port int, plane string) []string {
	return []string{
		p.Fairlead, "sidecar", "--whole-realm", "--plane", plane, "--data", filepath.Join(dir, "data"),
		"--realm", realm, "--nats-url", nobody, "--cache", filepath.Join(dir, "cache"), "--addr", "127.0.0.1:" + strconv.Itoa(port),
	}
}

// Table has so many services of so many instances each, the first of which is
// the one that requests name. Instances are the backend's ports in turn.
func Table(place Place, services, instances int) *registry.Table {
	const epoch = "bench"
	t := registry.NewTable(realm, epoch)
	revision := uint64(0)
	for s := range services {
		name := Service
		if s > 0 {
			name = fmt.Sprintf("service-%d", s)
		}
		var all []registry.Instance
		for i := range instances {
			revision++
			all = append(all, registry.Instance{
				Service: name, ID: fmt.Sprintf("i%d", i), Scheme: "http", Host: "127.0.0.1", Port: place.Backends[i%len(place.Backends)],
				Weight: 100, Status: registry.Passing, Enabled: true, Incarnation: fmt.Sprint("life", revision),
				Since: time.Now().Add(-time.Hour), Revision: revision,
			})
		}
		t = t.WithService(name, revision, all)
	}
	return t.At(registry.Revision{Epoch: epoch, Sequence: revision}).From(registry.Live, time.Now())
}

// Save writes a table where a sidecar below dir finds it.
func Save(dir string, t *registry.Table) error {
	at := connect.CacheDir(filepath.Join(dir, "cache"), nobody)
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	in := registry.Interest{Realm: realm}
	return cache.New(cache.Options{Dir: at}).Save(in, registry.Saved{Snapshot: t.Snapshot(in), Confirmed: time.Now()})
}
