package atlasclient

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/registry/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that has to happen.
const patience = 10 * time.Second

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// A fixture is a real bus, a client on it, and a connection with which a test
// plays Atlas.
type fixture struct {
	*testing.T
	server *embedded.Server
	opts   embedded.Options
	conn   *bus.Conn
	client *Client
	atlas  *bus.Conn
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, opts: embedded.Options{DataDir: t.TempDir(), Logger: quiet()}}
	f.startServer()
	t.Cleanup(f.stopServer)
	f.conn = f.dial(bus.Options{URL: f.server.ClientURL()})
	f.client = New(f.conn, Options{Logger: quiet(), Via: "bridge"})
	f.playAtlas()
	return f
}

// startServer starts the bus, on the port it had before if there was one.
func (f *fixture) startServer() {
	f.Helper()
	server, err := embedded.Start(f.Context(), f.opts)
	if err != nil {
		f.Fatal(err)
	}
	f.server, f.opts.Port = server, server.Addr().(*net.TCPAddr).Port
}

func (f *fixture) stopServer() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.server.Stop(ctx); err != nil {
		f.Error(err)
	}
}

func (f *fixture) playAtlas() {
	f.Helper()
	f.atlas = f.dial(f.server.AtlasOptions())
}

func (f *fixture) dial(opts bus.Options) *bus.Conn {
	f.Helper()
	opts.Logger, opts.FailFast = quiet(), true
	conn, err := bus.Connect(f.Context(), opts)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(conn.Close)
	return conn
}

// answer plays Atlas for a subject.
func (f *fixture) answer(subject string, handle nats.MsgHandler) {
	f.Helper()
	if _, err := f.atlas.NATS().Subscribe(subject, handle); err != nil {
		f.Fatal(err)
	}
	if err := f.atlas.NATS().Flush(); err != nil {
		f.Fatal(err)
	}
}

// publish sends what the registry would, marked with its kind.
func (f *fixture) publish(subject, body string) {
	f.Helper()
	if err := f.atlas.NATS().PublishMsg(marked(subject, body)); err != nil {
		f.Fatal(err)
	}
}

func marked(subject, body string) *nats.Msg {
	kind := protocol.KindChanges
	if strings.HasPrefix(subject, "atlas.v1.digest.") {
		kind = protocol.KindDigest
	}
	return &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{protocol.KindHeader: {kind}}}
}
