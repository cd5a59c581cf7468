package acceptance

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/registry"
)

const (
	// writableWithin is how soon after the death of a leader writes go through
	// again: the others elect another one.
	writableWithin = 7 * time.Second
	// stopBlocks is how long a planned stop may block writes.
	stopBlocks = 600 * time.Millisecond
	// rightWithin is how soon after that every table is right.
	rightWithin = time.Second
)

// passwords are those that the nodes share.
var passwords = []string{
	"FAIRLEAD_ATLAS_PASSWORD=pAtlas", "FAIRLEAD_SYS_PASSWORD=pSys",
	"FAIRLEAD_APP_PASSWORD=pApp", "FAIRLEAD_CLUSTER_PASSWORD=pNodes",
}

// A cluster is three control-plane nodes, each a `fairlead server`. As a realm
// it is what programs see: the buses of all nodes.
type cluster struct {
	*realm
	nodes []*node
}

// A node's realm is the node by itself.
type node struct {
	*realm
	name string
	env  []string
	args []string
	file string // its ready file
	// command is fairlead, or what runs it elsewhere.
	command []string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterIn(t, t.TempDir(), t.TempDir(), t.TempDir())
}

// newClusterIn has a directory for the data of each node.
func newClusterIn(t *testing.T, directories ...string) *cluster {
	t.Helper()
	c := &cluster{realm: &realm{}}
	addresses := []string{reserved(t), reserved(t), reserved(t)}
	for i, address := range addresses {
		n := &node{realm: &realm{data: filepath.Join(directories[i], "data")}, name: fmt.Sprintf("node-%d", i+1), env: passwords}
		n.NATS, n.HTTP = "nats://"+reserved(t), "http://"+reserved(t)
		n.args = []string{
			"server", "--data", n.data, "--node-name", n.name, "--cluster-addr", address,
			"--cluster-peers", strings.Join(addresses, ","), "--nats-addr", hostOf(n.NATS), "--http-addr", hostOf(n.HTTP),
		}
		c.nodes = append(c.nodes, n)
	}
	c.NATS = c.urls(c.nodes)
	return c
}

func (c *cluster) urls(nodes []*node) string {
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.NATS)
	}
	return strings.Join(urls, ",")
}

func (n *node) launch(t *testing.T) {
	t.Helper()
	command := n.command
	if command == nil {
		command = []string{fairlead}
	}
	n.file = filepath.Join(t.TempDir(), "ready.json")
	n.up = start(t, n.name, n.env, slices.Concat(command, n.args, []string{"--ready-file", n.file})...)
}

func (n *node) awaitReady(t *testing.T) {
	t.Helper()
	n.up.awaitReady(t, n.file, &n.addresses)
}

// start starts nodes at the same time and waits for all of them.
func (c *cluster) start(t *testing.T, nodes ...*node) time.Duration {
	t.Helper()
	began := time.Now()
	for _, n := range nodes {
		n.launch(t)
	}
	for _, n := range nodes {
		n.awaitReady(t)
	}
	return time.Since(began)
}

// others are the nodes but one.
func (c *cluster) others(without *node) []*node {
	var all []*node
	for _, n := range c.nodes {
		if n != without {
			all = append(all, n)
		}
	}
	return all
}

// storage looks into the bus as the control plane does.
func (c *cluster) storage(t *testing.T) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(c.NATS, nats.UserInfo("atlas", "pAtlas"), nats.MaxReconnects(-1), nats.ReconnectWait(pace))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// leader returns the node that leads the registry's stream, once all of its
// copies are in step.
func (c *cluster) leader(t *testing.T, js jetstream.JetStream) *node {
	t.Helper()
	var leads *node
	within(t, patience, "the registry has three copies in step", func() bool {
		info := streamInfo(js)
		leads = nil
		for _, n := range c.nodes {
			if info != nil && n.name == info.Leader && inStep(info) {
				leads = n
			}
		}
		return leads != nil
	})
	return leads
}

func streamInfo(js jetstream.JetStream) *jetstream.ClusterInfo {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, "KV_atlas")
	if err != nil {
		return nil
	}
	return stream.CachedInfo().Cluster
}

func inStep(info *jetstream.ClusterInfo) bool {
	for _, peer := range info.Replicas {
		if !peer.Current || peer.Offline {
			return false
		}
	}
	return len(info.Replicas) == 2
}

// agree waits until the bridges of nodes list an instance as it should be.
func (c *cluster) agree(t *testing.T, limit time.Duration, nodes []*node, id, what string, ok condition) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for _, n := range nodes {
		by(t, deadline, fmt.Sprintf("%s %s at %s", id, what, n.name), func() bool {
			in, listed := n.instances(t, "identity")[id]
			return ok(in, listed)
		})
	}
}

func TestThreeNodesAreOneRegistry(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.aSingleOneWaits(t)
	c.start(t, c.nodes[1:]...)
	c.nodes[0].awaitReady(t)
	c.startIdentity(t, "identity-1")
	c.agree(t, patience, c.nodes, "identity-1", "passes", passes)
	for i, n := range c.nodes {
		c.anyOneIsAway(t, n, fmt.Sprintf("identity-%d", i+2))
	}
	c.allAreKilled(t)
}

func (c *cluster) startIdentity(t *testing.T, id string) {
	t.Helper()
	start(t, id, c.member(id), fairlead, "example", "identity")
}

func (c *cluster) aSingleOneWaits(t *testing.T) {
	t.Helper()
	first := c.nodes[0]
	first.launch(t)
	within(t, patience, "a node alone says what it waits for", func() bool {
		return contains(first.up.said.String(), "waiting for a quorum", "nodes=1 of=3")
	})
	if isReady(first.file, &first.addresses) || first.up.ended() {
		t.Errorf("it is ready, or has ended: %s", first.up.said.String())
	}
}

// anyOneIsAway stops a node, registers meanwhile, and starts the node again.
func (c *cluster) anyOneIsAway(t *testing.T, away *node, id string) {
	t.Helper()
	away.up.stop()
	began := time.Now()
	c.startIdentity(t, id)
	c.agree(t, patience, c.others(away), id, "passes", passes)
	t.Logf("without %s a service was started and listed in %s", away.name, time.Since(began).Round(time.Millisecond))
	c.agree(t, rightWithin, c.others(away), "identity-1", "passes still", passes)
	within(t, patience, "doctor says who is away", func() bool {
		return contains(c.cli(t, "doctor").out, "2 of 3 copies in step", away.name+" is away")
	})
	took := c.start(t, away)
	t.Logf("%s was ready again %s after its start", away.name, took.Round(time.Millisecond))
	c.agree(t, rightWithin, c.nodes, id, "passes", passes)
}

func (c *cluster) allAreKilled(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		n.up.signal(syscall.SIGKILL)
	}
	for _, n := range c.nodes {
		within(t, patience, n.name+" ends", n.up.ended)
	}
	t.Logf("all were ready again %s after their start", c.start(t, c.nodes...).Round(time.Millisecond))
	for i := range 4 {
		c.agree(t, patience, c.nodes, fmt.Sprintf("identity-%d", i+1), "passes", passes)
	}
}

func TestALeaderOfTheClusterGoes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start(t, c.nodes...)
	c.startIdentity(t, "identity-1")
	c.agree(t, patience, c.nodes, "identity-1", "passes", passes)
	c.leaderGoes(t, syscall.SIGTERM, stopBlocks)
	c.leaderGoes(t, syscall.SIGKILL, writableWithin)
}

// leaderGoes ends the node that leads the registry's stream under load.
func (c *cluster) leaderGoes(t *testing.T, signal syscall.Signal, limit time.Duration) {
	t.Helper()
	js := c.storage(t)
	leads := c.leader(t, js)
	w := c.startWriters(t)
	w.awaitWrite(t, time.Now())
	began := time.Now()
	leads.up.signal(signal)
	within(t, patience, leads.name+" ends", leads.up.ended)
	back := w.awaitWrite(t, time.Now())
	c.agree(t, rightWithin, c.others(leads), "identity-1", "passes still", passes)
	c.reached(t, rightWithin, c.others(leads), back)
	w.awaitAll(t)
	w.stop()
	total, worst := w.gaps(began)
	t.Logf("%s of the leader: no write went through for %s, one writer had none for %s", signal, total.Round(time.Millisecond), worst.Round(time.Millisecond))
	if total > limit {
		t.Errorf("%s of the leader blocked writes for %s, not %s", signal, total, limit)
	}
	w.nothingIsLost(t, js)
	c.start(t, leads)
}

// reached waits until the bridges of nodes tell a revision, or a later one.
func (c *cluster) reached(t *testing.T, limit time.Duration, nodes []*node, want registry.Revision) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for _, n := range nodes {
		by(t, deadline, n.name+" tells what was written", func() bool {
			have := n.revision(t)
			return have.Epoch == want.Epoch && have.Sequence >= want.Sequence
		})
	}
}
