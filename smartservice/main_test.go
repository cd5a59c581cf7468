package smartservice

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
	"fairlead.dev/registry/memory"
)

// TestMain keeps tables out of the cache of whoever runs the tests.
func TestMain(m *testing.M) {
	if err := os.Setenv(connect.EnvCache, connect.NoCache); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// A testRealm is a realm in memory that any number of services of this process
// may join over real sockets.
type testRealm struct {
	*memory.Registry
	vars map[string]string
	logs io.Writer
	// refusal is why the realm registers nobody, empty if it does.
	refusal atomic.Value
}

func newRealm(t *testing.T) *testRealm {
	t.Helper()
	r := &testRealm{Registry: memory.New(memory.Options{}), vars: map[string]string{}, logs: t.Output()}
	t.Cleanup(r.Close)
	return r
}

// app returns a service of the realm that is stopped with the test.
func (r *testRealm) app(t *testing.T, name string, o Options) *App {
	t.Helper()
	if o.DrainDelay == 0 {
		o.DrainDelay = -1
	}
	o.logLevel = "debug"
	a := newApp(name, o, environment{
		getenv:   func(name string) string { return r.vars[name] },
		hostname: func() (string, error) { return "Host_1.example.org", nil },
		stderr:   r.logs,
		open:     r.open,
	})
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Errorf("stop %s: %v", name, err)
		}
	})
	return a
}

func (r *testRealm) open(_ context.Context, l *life) (session, error) {
	table := follow.New(follow.Options{Source: r.Registry, Realm: l.key.Realm, Logger: l.log})
	table.Start()
	return memorySession{r, table}, nil
}

func (r *testRealm) Register(ctx context.Context, k registry.Key, reg registry.Registration, life registry.Life) (registry.Lease, error) {
	if why, _ := r.refusal.Load().(string); why != "" {
		return registry.Lease{}, &registry.FieldError{Field: "host", Problem: why}
	}
	return r.Registry.Register(ctx, k, reg, life)
}

type memorySession struct {
	realm *testRealm
	table *follow.Follower
}

func (s memorySession) Atlas() registry.Atlas               { return s.realm }
func (s memorySession) Settings() registry.SettingsSource   { return s.realm }
func (s memorySession) Resolver() registry.Resolver         { return s.table }
func (s memorySession) OnConnect(fn func()) (remove func()) { return s.realm.OnConnect(fn) }
func (s memorySession) Close(context.Context) error         { s.table.Close(); return nil }

// follow returns a table of the whole realm.
func (r *testRealm) follow(t *testing.T) *follow.Follower {
	t.Helper()
	table := follow.New(follow.Options{Source: r.Registry, Realm: "local", WholeRealm: true})
	table.Start()
	t.Cleanup(table.Close)
	return table
}

// start starts a service, which must succeed.
func start(t *testing.T, a *App) {
	t.Helper()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// registered waits until the realm lists a service.
func registered(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Registered(ctx); err != nil {
		t.Fatal(err)
	}
}

// until waits until the table's view of a service satisfies a condition.
func until(t *testing.T, table *follow.Follower, service, what string, is func(*registry.Service) bool) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		now, changed := table.Table()
		if is(now.Service(service)) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the table never showed %s %s", service, what)
		}
	}
}

// plainClient is a client that repeats nothing and keeps connections.
func plainClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

type answer struct {
	status int
	header http.Header
	last   bool // the server asked for the connection to be closed
	body   string
}

func get(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	got, err := send(plainClient(t), req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func send(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, resp.Close, string(body)}, errors.Join(err, resp.Body.Close())
}
