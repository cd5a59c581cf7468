package planetest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar"
)

// Realm is that of the suite's tables.
const Realm = "local"

// patience is how long the suite waits for what must come.
const patience = 20 * time.Second

// A Plane is what the suite is given to test.
type Plane struct {
	sidecar.DataPlane
	// Up is closed once the plane takes requests; nil if it always does.
	Up <-chan struct{}
	// Addr tells, once it does, where, and Doors where the doors are.
	Addr  func() string
	Doors func() []string
}

// Ways are those in which a plane is to take requests besides the usual ones.
type Ways struct {
	// Realms are further ones, with what knows their services.
	Realms map[string]registry.Resolver
	// Others has hosts that are no services pass.
	Others bool
	// Doors are where it listens too.
	Doors []Door
	// MaxConnections bounds the callers' connections at each; 0 is the plane's
	// own default.
	MaxConnections int
	// Zone is the plane's own.
	Zone string
}

// A Door is where a plane listens besides its address.
type Door struct {
	// Network is tcp or unix; Address may be one of port 0.
	Network, Address string
	// Service has all requests that come here; "" is as at the plane's address.
	Service string
}

// A Maker makes a plane that listens on a port of its own and answers for
// [Realm]. The suite runs it and ends it.
type Maker func(t *testing.T, ways Ways) Plane

// A rig is a running plane, and instances behind it.
type rig struct {
	t        *testing.T
	plane    Plane
	addr     string
	client   *http.Client
	table    *registry.Table
	revision uint64
}

func start(t *testing.T, make Maker, ways Ways) *rig {
	t.Helper()
	g := &rig{t: t, plane: make(t, ways), table: registry.NewTable(Realm, "e")}
	ctx, cancel := context.WithCancel(context.Background())
	ended := goRun(ctx, g.plane)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	g.client = &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		g.wait(ended, "the plane's end")
	})
	if g.plane.Up != nil {
		select {
		case <-g.plane.Up:
		case err := <-ended:
			t.Fatalf("the plane ended before it was up: %v", err)
		case <-time.After(patience):
			t.Fatal("the plane does not come up")
		}
	}
	g.addr = g.plane.Addr()
	return g
}

func goRun(ctx context.Context, plane Plane) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- plane.Run(ctx) }()
	return ended
}

func (g *rig) wait(ended <-chan error, what string) {
	g.t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			g.t.Errorf("%s: %v", what, err)
		}
	case <-time.After(patience):
		g.t.Errorf("waited in vain for %s", what)
	}
}

// instance returns an instance of a service at an address, ready for requests.
func (g *rig) instance(service, id, addr string) registry.Instance {
	g.revision++
	return Instance(service, id, addr, g.revision)
}

// serve starts an instance that answers with a handler; it is not applied.
func (g *rig) serve(service, id string, h http.HandlerFunc) registry.Instance {
	g.t.Helper()
	backend := httptest.NewServer(h)
	g.t.Cleanup(backend.Close)
	return g.instance(service, id, backend.Listener.Addr().String())
}

// set puts instances into the table and applies it.
func (g *rig) set(instances ...registry.Instance) {
	g.t.Helper()
	for _, in := range instances {
		g.revision++
		in.Revision = g.revision
		g.table = g.table.WithInstance(in)
	}
	g.apply(g.table)
}

// drop takes an instance out of the table and applies it.
func (g *rig) drop(in registry.Instance) {
	g.t.Helper()
	g.revision++
	g.table = g.table.WithoutInstance(in.Service, in.ID, g.revision)
	g.apply(g.table)
}

func (g *rig) apply(table *registry.Table) {
	g.t.Helper()
	table = table.At(registry.Revision{Epoch: "e", Sequence: g.revision}).From(registry.Live, time.Now())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := g.plane.Apply(ctx, table); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) request(method, path string, body io.Reader, headers ...string) *http.Request {
	g.t.Helper()
	return Request(g.t, method, "http://"+g.addr+path, body, headers...)
}

func (g *rig) send(req *http.Request) (*http.Response, string) {
	g.t.Helper()
	return Send(g.t, g.client, req)
}

func (g *rig) get(path string, headers ...string) (*http.Response, string) {
	g.t.Helper()
	return g.send(g.request(http.MethodGet, path, nil, headers...))
}

// named is the header that names a service.
func named(service string) string { return "Fairlead-Service: " + service }

// counts sends requests for a service, and returns how many of them each
// instance answered, by the first word of the answer.
func (g *rig) counts(service string, n int) map[string]int {
	g.t.Helper()
	counts := map[string]int{}
	for range n {
		res, body := g.get("/", named(service))
		if res.StatusCode != http.StatusOK {
			g.t.Fatalf("got %d %s", res.StatusCode, body)
		}
		word, _, _ := strings.Cut(body, " ")
		counts[word]++
	}
	return counts
}

// until waits until something is so; asking takes time by itself.
func (g *rig) until(what string, so func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			g.t.Fatalf("waited in vain: %s", what)
		}
	}
}
