package embedded_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
)

// How long something may take that should take milliseconds.
const patience = 10 * time.Second

// sourcing is the server's: stopped while a stream looks for the one it takes
// from, it leaves the search behind.
const sourcing = "github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(sourcing))
}

var quiet = slog.New(slog.DiscardHandler)

func start(t *testing.T, opts embedded.Options) *embedded.Server {
	t.Helper()
	if opts.DataDir == "" {
		opts.DataDir = t.TempDir()
	}
	opts.Logger = quiet
	srv, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, srv) })
	return srv
}

func stop(t *testing.T, srv *embedded.Server) {
	t.Helper()
	if err := srv.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// connect is over TCP unless opts say otherwise.
func connect(t *testing.T, opts bus.Options) *nats.Conn {
	t.Helper()
	opts.FailFast, opts.Logger = true, quiet
	conn, err := bus.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn.NATS()
}

func asAtlas(t *testing.T, srv *embedded.Server) *nats.Conn {
	t.Helper()
	login := srv.AtlasCredentials()
	return connect(t, bus.Options{URL: srv.ClientURL(), User: login.User, Password: login.Password})
}

func asApp(t *testing.T, srv *embedded.Server) *nats.Conn {
	t.Helper()
	return connect(t, bus.Options{URL: srv.ClientURL()})
}

func provisioned(t *testing.T, srv *embedded.Server) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc := asAtlas(t, srv)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// listen subscribes and returns only once the server knows of it.
func listen(t *testing.T, nc *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	return sub
}

func flush(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	msg, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatalf("%s: %v", sub.Subject, err)
	}
	return msg
}
