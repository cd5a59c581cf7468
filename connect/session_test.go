package connect_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/registrar"
	"fairlead.dev/services/atlas"
)

// patience bounds every wait for something that has to happen.
const patience = 15 * time.Second

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// A control is a control plane that can be stopped and started again on the
// same port, with the same data or with none.
type control struct {
	*testing.T
	opts   embedded.Options
	server *embedded.Server
	conn   *bus.Conn
	node   *atlas.Node
}

func startControl(t *testing.T) *control {
	t.Helper()
	c := &control{T: t, opts: embedded.Options{DataDir: t.TempDir(), Logger: quiet()}}
	c.start()
	t.Cleanup(c.stop)
	return c
}

func (c *control) start() {
	c.Helper()
	server, err := embedded.Start(context.Background(), c.opts)
	c.must(err)
	c.server, c.opts.Port = server, server.Addr().(*net.TCPAddr).Port
	options := server.AtlasOptions()
	options.Logger = quiet()
	c.conn, err = bus.Connect(context.Background(), options)
	c.must(err)
	c.node, err = atlas.Start(context.Background(), atlas.Options{Conn: c.conn, Logger: quiet()})
	c.must(err)
}

func (c *control) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.node.Stop(ctx)
	c.conn.Close()
	_ = c.server.Stop(ctx)
}

func (c *control) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *control) open(opts connect.Options) *connect.Session {
	c.Helper()
	opts.NATSURL, opts.Logger = c.server.ClientURL(), quiet()
	session, err := connect.Open(c.Context(), opts)
	c.must(err)
	c.Cleanup(func() { _ = session.Close(context.Background()) })
	return session
}

// identity starts a program that answers with its name.
func (c *control) identity() registry.Registration {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "identity") }))
	c.Cleanup(server.Close)
	addr := server.Listener.Addr().(*net.TCPAddr)
	return registry.Registration{Host: addr.IP.String(), Port: addr.Port, Health: "/"}
}

func (c *control) register(s *connect.Session, k registry.Key) *registrar.Registrar {
	c.Helper()
	return c.registerAs(s, k, c.identity())
}

func (c *control) registerAs(s *connect.Session, k registry.Key, as registry.Registration) *registrar.Registrar {
	c.Helper()
	r, err := registrar.New(registrar.Options{
		Atlas: s.Atlas(), Beater: s.Atlas(), OnConnect: s.Bus().OnConnect,
		Key: k, Registration: as, Logger: quiet(),
	})
	c.must(err)
	r.Start()
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.Stop(ctx)
	})
	return r
}

// until waits for a table that satisfies ok.
func (c *control) until(s *connect.Session, what string, ok func(*registry.Table) bool) {
	c.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		table, changed := s.Table().Table()
		if ok(table) {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			c.Fatalf("not in %s: %s", patience, what)
		}
	}
}

var host001 = registry.Key{Realm: "test", Service: "identity", Instance: "host001-5000"}

func listed(t *registry.Table) bool {
	in, ok := t.Service(host001.Service).Instance(host001.Instance)
	return ok && in.Status == registry.Passing
}

func TestAServiceIsCalledByItsName(t *testing.T) {
	c := startControl(t)
	r := c.register(c.open(connect.Options{Realm: "test"}), host001)
	c.must(r.Registered(t.Context()))
	caller := c.open(connect.Options{Realm: "test"})
	resp, err := caller.Client().Get("service://identity/users/1")
	c.must(err)
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "identity" {
		t.Errorf("answer %q", body)
	}
	if _, err := caller.Table().Resolve(t.Context(), "nobody"); !errors.Is(err, registry.ErrNoSuchService) {
		t.Errorf("Resolve of what is not there: %v", err)
	}
}

func TestARestartedControlPlaneFindsEverybodyAgain(t *testing.T) {
	for name, wipe := range map[string]bool{"with its data": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			c := startControl(t)
			r := c.register(c.open(connect.Options{Realm: "test"}), host001)
			c.must(r.Registered(t.Context()))
			caller := c.open(connect.Options{Realm: "test", WholeRealm: true})
			c.until(caller, "the instance", listed)
			c.stop()
			if now, _ := caller.Table().Table(); !listed(now) {
				t.Error("the table was emptied")
			}
			if wipe {
				c.opts.DataDir = t.TempDir()
			}
			c.start()
			began := time.Now()
			fresh := c.open(connect.Options{Realm: "test", WholeRealm: true})
			c.until(fresh, "the instance in a fresh table", listed)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the instance was back after %s", took)
			}
			began = time.Now()
			_, err := fresh.Atlas().SetFlag(t.Context(), host001, &registry.Flag{Reason: "test"})
			c.must(err)
			c.until(caller, "the flag in the old table", disabled)
			if took := time.Since(began); took > time.Second {
				t.Errorf("the flag arrived after %s", took)
			}
		})
	}
}

func disabled(t *registry.Table) bool {
	in, ok := t.Service(host001.Service).Instance(host001.Instance)
	return ok && !in.Enabled
}

// TestAProgramThatStartsMeanwhileUsesTheCache has one session fill the cache,
// and another one start when there is no control plane.
func TestAProgramThatStartsMeanwhileUsesTheCache(t *testing.T) {
	c := startControl(t)
	opts := connect.Options{Realm: "test", Cache: t.TempDir()}
	r := c.register(c.open(connect.Options{Realm: "test"}), host001)
	c.must(r.Registered(t.Context()))
	before := c.open(opts)
	resolved(t, before)
	c.must(before.Close(t.Context()))
	c.stop()

	fresh := c.open(opts)
	began := time.Now()
	resolved(t, fresh)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("resolved after %s", took)
	}
	if table, _ := fresh.Table().Table(); table.Source != registry.Cached {
		t.Errorf("source %s", table.Source)
	}
	resp, err := fresh.Client().Get("service://identity/")
	c.must(err)
	_ = resp.Body.Close()

	c.start()
	c.until(fresh, "a live table", func(table *registry.Table) bool { return table.Source == registry.Live && listed(table) })
}

func resolved(t *testing.T, s *connect.Session) {
	t.Helper()
	if service, err := s.Table().Resolve(t.Context(), host001.Service); err != nil || service.Len() != 1 {
		t.Fatalf("resolved %d instances: %v", service.Len(), err)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/home/ana/.cache")
	t.Setenv("CACHE_DIRECTORY", "")
	cases := []struct{ option, environment, url, want string }{
		{"", "", "nats://127.0.0.1:4222", "/home/ana/.cache/fairlead/nats_127.0.0.1_4222"},
		{"", "/c", "nats://a:1,nats://b:2", "/c/nats_a_1_nats_b_2"},
		{"/d", "/c", "tls://../x", "/d/tls_.._x"},
		{"off", "/c", "nats://a", ""},
		{"", "off", "nats://a", ""},
	}
	for _, tt := range cases {
		t.Setenv(connect.EnvCache, tt.environment)
		if got := connect.CacheDir(tt.option, tt.url); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestOpenDoesNotWaitForTheBus(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + l.Addr().String()
	_ = l.Close()
	t.Setenv(bus.EnvURL, url)
	t.Setenv(connect.EnvRealm, "elsewhere")
	session, err := connect.Open(t.Context(), connect.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if session.Realm() != "elsewhere" {
		t.Errorf("realm %s", session.Realm())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := session.Table().Resolve(ctx, "identity"); !errors.Is(err, registry.ErrNeverSeen) {
		t.Errorf("Resolve: %v", err)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	_, err := connect.Open(t.Context(), connect.Options{Realm: "Bad Realm", Services: []string{"*"}})
	var fields registry.FieldErrors
	if !errors.As(err, &fields) || len(fields) != 2 || fields[0].Field != "realm" || fields[1].Field != "services" {
		t.Errorf("Open: %v", err)
	}
}

func TestCloseIsBoundedAndMayBeRepeated(t *testing.T) {
	c := startControl(t)
	session := c.open(connect.Options{})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	err := session.Close(done)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if err := session.Close(context.Background()); err != nil {
		t.Errorf("Close again: %v", err)
	}
}
