package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
	"fairlead.dev/internal/logtest"
)

var shared = embedded.Passwords{Atlas: "pAtlas", Sys: "pSys", App: "pApp"}

// reserved returns free addresses below those that kernels give to
// connections.
func reserved(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

func nodeOptions(t *testing.T, peers []string, i int) embedded.Options {
	return embedded.Options{
		DataDir: t.TempDir(), ServerName: fmt.Sprintf("node-%d", i+1), Passwords: shared,
		Cluster: &embedded.Cluster{Listen: peers[i], Peers: peers, Password: "pNodes"},
	}
}

// startNodes returns once the nodes have a leader.
func startNodes(t *testing.T, options []embedded.Options) []*embedded.Server {
	t.Helper()
	var nodes []*embedded.Server
	for _, opts := range options {
		nodes = append(nodes, start(t, opts))
	}
	for _, node := range nodes {
		awaitQuorum(t, node)
	}
	return nodes
}

func awaitQuorum(t *testing.T, node *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := node.AwaitQuorum(ctx); err != nil {
		t.Fatal(err)
	}
}

func threeNodes(t *testing.T) []embedded.Options {
	t.Helper()
	peers := reserved(t, 3)
	return []embedded.Options{nodeOptions(t, peers, 0), nodeOptions(t, peers, 1), nodeOptions(t, peers, 2)}
}

func TestThreeNodesKeepOneRegistry(t *testing.T) {
	t.Parallel()
	options := threeNodes(t)
	nodes := startNodes(t, options)
	js, err := jetstream.New(asAtlas(t, nodes[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Replicas: 3, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a", "x"); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{1, 2} {
		if got := valueAt(t, nodes[i]); got != "x" {
			t.Errorf("%s has %q", nodes[i].Name(), got)
		}
	}
	for _, node := range nodes {
		stop(t, node)
	}
	for i, opts := range options {
		nodes[i] = start(t, opts)
	}
	for _, node := range nodes {
		awaitQuorum(t, node)
		if got := valueAt(t, node); got != "x" {
			t.Errorf("after a restart of all %s has %q", node.Name(), got)
		}
	}
}

// valueAt tries until the bucket has a leader.
func valueAt(t *testing.T, node *embedded.Server) string {
	t.Helper()
	js, err := jetstream.New(asAtlas(t, node))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for {
		if value, err := get(ctx, js); err == nil || ctx.Err() != nil {
			return value
		}
	}
}

func get(ctx context.Context, js jetstream.JetStream) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	kv, err := js.KeyValue(ctx, "atlas")
	if err != nil {
		return "", err
	}
	entry, err := kv.Get(ctx, "hosts.local.identity.a")
	if err != nil {
		return "", err
	}
	return string(entry.Value()), nil
}

func TestASingleNodeOfThreeSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	var log logtest.Text
	opts := threeNodes(t)[0]
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	srv, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := srv.AwaitQuorum(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, expected to wait in vain", err)
	}
	if text := log.String(); !strings.Contains(text, "waiting for a quorum") || !strings.Contains(text, "nodes=1 of=3") {
		t.Errorf("it said:\n%s", text)
	}
}

func TestANodeWithAnotherPasswordStaysOutside(t *testing.T) {
	t.Parallel()
	var log logtest.Text
	options := threeNodes(t)
	stop(t, startNodes(t, options)[2])
	stranger := options[2]
	changed := *stranger.Cluster
	changed.Password = "another"
	stranger.Cluster, stranger.Logger = &changed, slog.New(slog.NewTextHandler(&log, nil))
	srv, err := embedded.Start(t.Context(), stranger)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := srv.AwaitQuorum(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, expected it not to find the others", err)
	}
	if text := log.String(); !strings.Contains(text, "password must be the same") || !strings.Contains(text, "nodes=1 of=3") {
		t.Errorf("it said:\n%s", text)
	}
}

func TestSizeOfACluster(t *testing.T) {
	three := []string{"a:1", "b:1", "c:1"}
	tests := []struct {
		name           string
		cluster        *embedded.Cluster
		size, replicas int
	}{
		{"single server", nil, 1, 1},
		{"named among its peers", &embedded.Cluster{Listen: "a:1", Peers: three}, 3, 3},
		{"the others alone", &embedded.Cluster{Listen: "a:1", Peers: three[1:]}, 3, 3},
		{"advertised", &embedded.Cluster{Listen: "0.0.0.0:1", Advertise: "a:1", Peers: three}, 3, 3},
		{"five", &embedded.Cluster{Listen: "d:1", Peers: append(three, "e:1")}, 5, 3},
	}
	for _, tt := range tests {
		if size := tt.cluster.Size(); size != tt.size {
			t.Errorf("%s: %d nodes, expected %d", tt.name, size, tt.size)
		}
		if n := tt.cluster.Replicas(); n != tt.replicas {
			t.Errorf("%s: %d replicas, expected %d", tt.name, n, tt.replicas)
		}
	}
}

func TestClusterOptionsSayWhatIsWrong(t *testing.T) {
	peers := []string{"127.0.0.1:1", "127.0.0.1:2"}
	tests := map[string]embedded.Options{
		`"nowhere": expected HOST:PORT`: {Passwords: shared, Cluster: &embedded.Cluster{Listen: "nowhere", Peers: peers, Password: "p"}},
		`"x:0": expected HOST:PORT`:     {Passwords: shared, Cluster: &embedded.Cluster{Listen: peers[0], Peers: []string{"x:0"}, Password: "p"}},
		"addresses of the other nodes":  {Passwords: shared, Cluster: &embedded.Cluster{Listen: peers[0], Password: "p"}},
		"passwords that all nodes":      {Passwords: shared, Cluster: &embedded.Cluster{Listen: peers[0], Peers: peers}},
		"the passwords that all":        {Cluster: &embedded.Cluster{Listen: peers[0], Peers: peers, Password: "p"}},
	}
	for want, opts := range tests {
		opts.DataDir = t.TempDir()
		if _, err := embedded.Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
}

// The server would clear away the streams that it knows nothing of.
func TestDataOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	options := threeNodes(t)
	single := start(t, embedded.Options{DataDir: options[0].DataDir})
	provisioned(t, single)
	stop(t, single)
	if _, err := embedded.Start(t.Context(), options[0]); !errors.Is(err, embedded.ErrOtherKind) {
		t.Errorf("a single server's data in a cluster: %v", err)
	}
	options[0].DataDir = t.TempDir()
	nodes := startNodes(t, options)
	js, err := jetstream.New(asAtlas(t, nodes[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Replicas: 3, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	stop(t, nodes[1])
	if _, err := embedded.Start(t.Context(), embedded.Options{DataDir: options[1].DataDir, Logger: quiet}); !errors.Is(err, embedded.ErrOtherKind) {
		t.Errorf("a node's data in a single server: %v", err)
	}
}
