package atlas

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// sourcing is the server's own: a stream that takes from another one waits for
// an answer to its first request, and goes on waiting for a while after the
// server has stopped.
const sourcing = "github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(sourcing)) }

// fastTerms keep tests of leases short; their ratios are the defaults'.
var fastTerms = Terms{Every: 200 * time.Millisecond, TTL: 600 * time.Millisecond}

// patience bounds every wait of a test for something that has to happen.
const patience = 10 * time.Second

// A realBus is an embedded server on a port of its own, with a connection of
// a program and one of the control plane.
type realBus struct {
	server *embedded.Server
	atlas  *bus.Conn
	app    *bus.Conn
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func startBus(t testing.TB, dir string) *realBus {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	b := &realBus{server: server}
	b.atlas = dial(t, server.AtlasOptions())
	b.app = dial(t, bus.Options{URL: server.ClientURL(), Logger: quiet()})
	t.Cleanup(b.stop)
	return b
}

func dial(t testing.TB, opts bus.Options) *bus.Conn {
	t.Helper()
	opts.Logger, opts.FailFast = quiet(), true
	conn, err := bus.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (b *realBus) stop() {
	b.app.Close()
	b.atlas.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = b.server.Stop(ctx)
}

func startNode(t testing.TB, b *realBus, terms Terms) *Node {
	t.Helper()
	n, err := Start(t.Context(), Options{Conn: b.atlas, Terms: terms, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return n
}

// streams are the control plane's.
func (b *realBus) streams(t *testing.T) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(b.atlas.NATS())
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// ask sends a request of a program and decodes the answer or the problem.
func ask[T any](t *testing.T, conn *bus.Conn, subject string, body any) (T, error) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return askRaw[T](t, conn, subject, data)
}

func askRaw[T any](t *testing.T, conn *bus.Conn, subject string, data []byte) (T, error) {
	t.Helper()
	var out T
	reply, err := conn.NATS().Request(subject, data, patience)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	if reply.Header.Get("Nats-Service-Error-Code") != "" {
		var p protocol.Problem
		if err := json.Unmarshal(reply.Data, &p); err != nil {
			t.Fatalf("%s: problem %q: %v", subject, reply.Data, err)
		}
		return out, &p
	}
	if err := json.Unmarshal(reply.Data, &out); err != nil {
		t.Fatalf("%s: answer %q: %v", subject, reply.Data, err)
	}
	return out, nil
}

func register(t *testing.T, conn *bus.Conn, k registry.Key, r registry.Registration, incarnation string) (registry.Lease, error) {
	t.Helper()
	reply, err := ask[protocol.LeaseReply](t, conn, protocol.Subject(protocol.Register, k),
		protocol.RegisterRequest{Registration: r.WithDefaults(), Incarnation: incarnation})
	return reply.Lease(), err
}

func heartbeat(t *testing.T, conn *bus.Conn, k registry.Key, l registry.Lease, s registry.Status) error {
	t.Helper()
	_, err := ask[struct{}](t, conn, protocol.Subject(protocol.Heartbeat, k),
		protocol.HeartbeatMessage{Incarnation: l.Incarnation, Token: l.Token, Status: s})
	return err
}

// table returns a realm's table as the node holds it now.
func (n *Node) tableFor(t *testing.T, realm string) *registry.Table {
	t.Helper()
	table, err := n.Table(t.Context(), realm)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// until waits for a condition on a realm's table, looking again at each change.
func (n *Node) until(t *testing.T, what string, b *realBus, k registry.Key, ok func(registry.Instance, bool) bool) registry.Instance {
	t.Helper()
	changed := make(chan *nats.Msg, 1024)
	sub, err := b.app.NATS().ChanSubscribe(protocol.Routes(registry.Interest{Realm: k.Realm}), changed)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	timeout := time.After(patience)
	for {
		in, found := n.tableFor(t, k.Realm).Service(k.Service).Instance(k.Instance)
		if ok(in, found) {
			return in
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			t.Fatalf("%s: still %+v (found %v)", what, in, found)
		}
	}
}
