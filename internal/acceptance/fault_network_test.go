package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/bus"
	"fairlead.dev/connect"
)

// A network is hosts of a test's own: network namespaces on a bridge, whose
// links can be cut. This machine is one of the hosts. It takes root.
type network struct {
	name, prefix string
}

// networks counts those of this process: the kernel takes the last one's links
// away only some time after its hosts are gone.
var networks atomic.Int64

func newNetwork(t *testing.T) *network {
	t.Helper()
	need(t, "ip")
	pid, number := os.Getpid(), int(networks.Add(1))
	n := &network{name: fmt.Sprintf("fl%dn%d", pid%10000, number), prefix: fmt.Sprintf("10.199.%d.", (pid+number)%250)}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", n.name).Run() })
	n.ip(t, "link", "add", n.name, "type", "bridge")
	n.ip(t, "addr", "add", n.here()+"/24", "dev", n.name)
	n.ip(t, "link", "set", n.name, "up")
	return n
}

func (n *network) ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s(it needs root)", strings.Join(args, " "), err, out)
	}
}

// here is this machine's address, address that of a host.
func (n *network) here() string            { return n.prefix + "254" }
func (n *network) address(host int) string { return fmt.Sprintf("%s%d", n.prefix, host+1) }
func (n *network) space(host int) string   { return fmt.Sprintf("%s-%d", n.name, host) }

// join makes a host.
func (n *network) join(t *testing.T, host int) {
	t.Helper()
	space, link := n.space(host), fmt.Sprintf("%sv%d", n.name, host)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", space).Run() })
	n.ip(t, "netns", "add", space)
	n.ip(t, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
	n.ip(t, "link", "set", link, "master", n.name)
	n.ip(t, "link", "set", link, "up")
	n.ip(t, "-n", space, "addr", "add", n.address(host)+"/24", "dev", "eth0")
	n.ip(t, "-n", space, "link", "set", "eth0", "up")
	n.ip(t, "-n", space, "link", "set", "lo", "up")
}

// apart cuts two hosts from each other, and both still from nobody else.
func (n *network) apart(t *testing.T, a, b int) { t.Helper(); n.between(t, "add", a, b) }

// together mends that.
func (n *network) together(t *testing.T, a, b int) { t.Helper(); n.between(t, "del", a, b) }

func (n *network) between(t *testing.T, verb string, a, b int) {
	t.Helper()
	n.ip(t, "-n", n.space(a), "route", verb, "blackhole", n.address(b)+"/32")
	n.ip(t, "-n", n.space(b), "route", verb, "blackhole", n.address(a)+"/32")
}

// link cuts a host from everybody, or mends that.
func (n *network) link(t *testing.T, host int, state string) {
	t.Helper()
	n.ip(t, "link", "set", fmt.Sprintf("%sv%d", n.name, host), state)
}

// newNetworkedCluster is nodes on hosts of their own, where everybody needs
// credentials. It returns the directory of all keys.
func newNetworkedCluster(t *testing.T, hosts *network, nodes int) (c *cluster, keys string) {
	t.Helper()
	c, keys = &cluster{realm: &realm{}}, filepath.Join(t.TempDir(), "keys")
	init := []string{fairlead, "init", "--security", keys}
	var peers []string
	for i := range nodes {
		hosts.join(t, i)
		init = append(init, "--host", hosts.address(i))
		peers = append(peers, hosts.address(i)+":6222")
	}
	if got := run(t, nil, init...); got.code != 0 {
		t.Fatal(got.err)
	}
	for i := range nodes {
		n := &node{realm: &realm{data: filepath.Join(t.TempDir(), "data")}, name: fmt.Sprintf("node-%d", i+1)}
		n.NATS = "tls://" + hosts.address(i) + ":4222"
		n.command = []string{"ip", "netns", "exec", hosts.space(i), fairlead}
		n.args = []string{
			"server", "--security", keys, "--data", n.data, "--node-name", n.name, "--http-addr", "127.0.0.1:0",
			"--nats-addr", hosts.address(i) + ":4222",
		}
		if nodes > 1 {
			n.args = append(n.args, "--cluster-addr", peers[i], "--cluster-peers", strings.Join(peers, ","))
		}
		c.nodes = append(c.nodes, n)
	}
	c.NATS = c.urls(c.nodes)
	return c, keys
}

// letIn makes credentials and returns their file.
func letIn(t *testing.T, keys, name string, role ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".json")
	add := append([]string{fairlead, "credentials", "add", name, "--security", keys, "--out", file}, role...)
	if got := run(t, nil, add...); got.code != 0 {
		t.Fatal(got.err)
	}
	return file
}

// newNetworkedFleet starts services and clients on this machine, around a
// cluster on others.
func newNetworkedFleet(t *testing.T, hosts *network, c *cluster, keys string) *fleet {
	t.Helper()
	identity := letIn(t, keys, "identity", "--role", "instance", "--service", "identity")
	f := &fleet{
		url: c.NATS, host: hosts.here(), truth: newTruth(t, asAtlas(t, c.NATS, keys)),
		living:        []string{"identity-1", "identity-2", "identity-3"},
		instanceLogin: letIn(t, keys, "work", "--role", "instance", "--service", "work"),
		operatorLogin: letIn(t, keys, "jane", "--role", "operator", "--verb", "flag"),
	}
	for _, id := range f.living {
		start(t, id, []string{
			"FAIRLEAD_NATS_URL=" + c.NATS, "FAIRLEAD_CREDENTIALS=" + identity, "FAIRLEAD_REALM=local",
			"FAIRLEAD_INSTANCE=" + id, "FAIRLEAD_ADDR=" + hosts.here() + ":0",
		}, fairlead, "example", "identity")
	}
	f.begin(t)
	return f
}

// asAtlas connects as the control plane does.
func asAtlas(t *testing.T, url, keys string) *nats.Conn {
	t.Helper()
	conn, err := bus.Connect(t.Context(), bus.Options{
		URL: url, CredentialsFile: filepath.Join(keys, "atlas.json"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn.NATS()
}

// A node that is cut off from the others, but not from the programs, cannot
// write, and must not pretend.
func TestFaultANodeIsCutOffFromTheOthers(t *testing.T) {
	hosts := newNetwork(t)
	c, keys := newNetworkedCluster(t, hosts, 3)
	c.start(t, c.nodes...)
	f := newNetworkedFleet(t, hosts, c, keys)
	// What is asked of the side that lost is answered by what it knew.
	f.work.blind.Store(true)
	for lone := range 3 {
		for other := range 3 {
			if other != lone {
				hosts.apart(t, lone, other)
			}
		}
		pause(t, 10*time.Second)
		for other := range 3 {
			if other != lone {
				hosts.together(t, lone, other)
			}
		}
		pause(t, 2*time.Second)
		f.settles(t)
	}
	f.endures(t)
}

// A host that is cut off from everybody takes the connections of its programs
// with it: they notice, and go to another node.
func TestFaultAHostIsCutOffFromEverybody(t *testing.T) {
	hosts := newNetwork(t)
	c, keys := newNetworkedCluster(t, hosts, 3)
	c.start(t, c.nodes...)
	f := newNetworkedFleet(t, hosts, c, keys)
	f.work.blind.Store(true)
	for lone := range 2 {
		hosts.link(t, lone, "down")
		pause(t, 20*time.Second)
		hosts.link(t, lone, "up")
		pause(t, 2*time.Second)
		f.settles(t)
	}
	f.endures(t)
}

// session opens one with a login, of the realm's tables or not.
func (f *fleet) session(t *testing.T, login string, wholeRealm bool) *connect.Session {
	t.Helper()
	session, err := connect.Open(t.Context(), connect.Options{
		Realm: "local", NATSURL: f.url, CredentialsFile: login, WholeRealm: wholeRealm, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(context.Background()) })
	return session
}
