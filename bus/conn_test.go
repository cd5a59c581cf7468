package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
)

const patience = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startServer(t *testing.T, opts embedded.Options) *embedded.Server {
	t.Helper()
	if opts.DataDir == "" {
		opts.DataDir = t.TempDir()
	}
	opts.Logger = quiet
	srv, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(t, srv) })
	return srv
}

func stopServer(t *testing.T, srv *embedded.Server) {
	t.Helper()
	if err := srv.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func connect(t *testing.T, opts bus.Options) *bus.Conn {
	t.Helper()
	opts.Logger = quiet
	conn, err := bus.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func portOf(srv *embedded.Server) int { return srv.Addr().(*net.TCPAddr).Port }

func within(t *testing.T, what string, happened <-chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// notifier is a callback that may be called often and never blocks.
func notifier() (notify func(), happened <-chan struct{}) {
	ch := make(chan struct{}, 1)
	return func() {
		select {
		case ch <- struct{}{}:
		default:
		}
	}, ch
}

func TestClientMayStartBeforeTheBus(t *testing.T) {
	away := startServer(t, embedded.Options{})
	port, url := portOf(away), away.ClientURL()
	stopServer(t, away)

	conn := connect(t, bus.Options{URL: url})
	notify, up := notifier()
	conn.OnConnect(notify)
	impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := conn.WaitConnected(impatient)
	if !errors.Is(err, bus.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), url) {
		t.Errorf("got %v, expected ErrUnavailable naming %s", err, url)
	}

	startServer(t, embedded.Options{Port: port})
	within(t, "connection", up)
	if err := conn.WaitConnected(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReconnectsWithinASecond(t *testing.T) {
	dir := t.TempDir()
	first := startServer(t, embedded.Options{DataDir: dir})
	conn := connect(t, bus.Options{URL: first.ClientURL()})
	lost, down := notifier()
	conn.OnDisconnect(func(error) { lost() })
	notify, up := notifier()
	conn.OnConnect(notify)
	other, otherUp := notifier()
	conn.OnConnect(other)
	if err := conn.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	drainSignals(up, otherUp)

	port := portOf(first)
	stopServer(t, first)
	within(t, "loss", down)
	if _, err := conn.Publish(t.Context(), "events.v1.local.identity.x", newEvent("1")); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("publish without a connection: got %v, expected ErrUnavailable", err)
	}

	startServer(t, embedded.Options{DataDir: dir, Port: port})
	began := time.Now()
	within(t, "reconnection", up)
	within(t, "second listener", otherUp)
	if took := time.Since(began); took > time.Second {
		t.Errorf("back after %v, expected within a second", took)
	}
}

// drainSignals forgets the first connection, which may or may not have come
// before the listeners.
func drainSignals(signals ...<-chan struct{}) {
	for _, signal := range signals {
		select {
		case <-signal:
		default:
		}
	}
}

func TestRemovedListenersHearNothing(t *testing.T) {
	dir := t.TempDir()
	first := startServer(t, embedded.Options{DataDir: dir})
	conn := connect(t, bus.Options{URL: first.ClientURL(), FailFast: true})
	remove := conn.OnConnect(func() { t.Error("a removed listener was called") })
	remove()
	remove()
	notify, up := notifier()
	conn.OnConnect(notify)
	port := portOf(first)
	stopServer(t, first)
	startServer(t, embedded.Options{DataDir: dir, Port: port})
	within(t, "reconnection", up)
}

func TestFailFast(t *testing.T) {
	srv := startServer(t, embedded.Options{})
	url := srv.ClientURL()
	stopServer(t, srv)
	_, err := bus.Connect(t.Context(), bus.Options{URL: url, FailFast: true, Logger: quiet})
	if !errors.Is(err, bus.ErrUnavailable) || !strings.Contains(err.Error(), url) {
		t.Errorf("got %v, expected ErrUnavailable naming %s", err, url)
	}
}

func TestPasswordsStayOutOfErrors(t *testing.T) {
	_, err := bus.Connect(t.Context(), bus.Options{URL: "nats://app:hunter2@127.0.0.1:1", FailFast: true, Logger: quiet})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, expected an error without the password", err)
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	srv := startServer(t, embedded.Options{RequireLogin: true})
	login := srv.AtlasCredentials()
	t.Setenv(bus.EnvURL, srv.ClientURL())
	t.Setenv(bus.EnvUser, login.User)
	t.Setenv(bus.EnvPassword, login.Password)
	if !connect(t, bus.Options{FailFast: true}).Connected() {
		t.Error("expected the environment's login to be used")
	}
	_, err := bus.Connect(t.Context(), bus.Options{User: "app", Password: "wrong", FailFast: true, Logger: quiet})
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("got %v, expected the options to win over the environment", err)
	}
}

func TestSlowConsumersReachTheirOwner(t *testing.T) {
	srv := startServer(t, embedded.Options{})
	conn := connect(t, bus.Options{URL: srv.ClientURL(), FailFast: true})
	release := make(chan struct{})
	sub, err := conn.NATS().Subscribe("flood", func(*nats.Msg) { <-release })
	if err != nil {
		t.Fatal(err)
	}
	defer close(release)
	if err := sub.SetPendingLimits(1, -1); err != nil {
		t.Fatal(err)
	}
	notify, slow := notifier()
	conn.OnSlowConsumer(sub, notify)
	for range 10 {
		if err := conn.NATS().Publish("flood", nil); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "slow consumer", slow)
}

func TestCloseLetsHandlersFinish(t *testing.T) {
	srv := startServer(t, embedded.Options{})
	conn := connect(t, bus.Options{URL: srv.ClientURL(), FailFast: true})
	began, handled := make(chan struct{}), 0
	_, err := conn.NATS().Subscribe("work", func(*nats.Msg) {
		if handled == 0 {
			close(began)
		}
		handled++
	})
	if err != nil {
		t.Fatal(err)
	}
	const messages = 100
	for range messages {
		if err := conn.NATS().Publish("work", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	within(t, "first message", began)
	conn.Close()
	conn.Close()
	if handled != messages {
		t.Errorf("%d of %d handled", handled, messages)
	}
	if _, err := conn.Request(t.Context(), nats.NewMsg("work")); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("after Close: got %v, expected ErrUnavailable", err)
	}
}
