package acceptance

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// configurations are those that users copy.
var configurations = filepath.Join("..", "..", "deployments", "nats")

// electedWithin is how long servers that are not ours may take to elect a
// leader, and their clients to find out.
const electedWithin = 12 * time.Second

// buildServer builds the server that the configurations are for, beside the
// command.
var buildServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(fairlead), "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the server: %w: %s", err, out)
	}
	return path, nil
})

// startServer starts a NATS server in a folder of its own and waits until it
// listens.
func startServer(t *testing.T, name, address string, env []string, configuration string, args ...string) *process {
	t.Helper()
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs(filepath.Join(configurations, configuration))
	if err != nil {
		t.Fatal(err)
	}
	inFolder := []string{"sh", "-c", `cd "$0" && exec "$@"`, t.TempDir(), program, "-c", file}
	p := start(t, name, append(env, passwords...), append(inFolder, args...)...)
	within(t, patience, name+" listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

// joinControl starts control-plane nodes on a bus that is there already.
func (c *cluster) joinControl(t *testing.T, nodes int) {
	t.Helper()
	for i := range nodes {
		n := &node{realm: &realm{}, name: fmt.Sprintf("control-%d", i+1), env: passwords}
		n.args = []string{"server", "--nats-url", c.NATS, "--http-addr", "127.0.0.1:0"}
		c.nodes = append(c.nodes, n)
	}
	t.Logf("the control plane was ready %s after its start", c.start(t, c.nodes...).Round(time.Millisecond))
	c.HTTP = c.nodes[0].HTTP
}

func TestTheControlPlaneOnAServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	address := reserved(t)
	_, port, _ := net.SplitHostPort(address)
	startServer(t, "nats-server", address, nil, "fairlead.conf", "-p", port)
	c := &cluster{realm: &realm{addresses: addresses{NATS: "nats://" + address}}}
	c.joinControl(t, 2)
	c.startIdentity(t, "identity-1")
	c.agree(t, patience, c.nodes, "identity-1", "passes", passes)
	c.nodes[0].up.stop()
	c.HTTP = c.nodes[1].HTTP
	c.startIdentity(t, "identity-2")
	c.agree(t, patience, c.nodes[1:], "identity-2", "passes", passes)
}

func TestTheControlPlaneOnAClusterOfOnesOwn(t *testing.T) {
	t.Parallel()
	c := &cluster{realm: &realm{}}
	servers := c.startServers(t)
	c.joinControl(t, 2)
	c.startIdentity(t, "identity-1")
	c.agree(t, patience, c.nodes, "identity-1", "passes", passes)
	js := c.storage(t)
	within(t, patience, "the registry has three copies in step", func() bool {
		info := streamInfo(js)
		return info != nil && info.Leader != "" && inStep(info)
	})
	w := c.startWriters(t)
	w.awaitAll(t)
	began := time.Now()
	servers[streamInfo(js).Leader].signal(syscall.SIGKILL)
	within(t, electedWithin, "writes go through again", func() bool {
		total, _ := w.gaps(began)
		return total > time.Second
	})
	w.awaitAll(t)
	w.stop()
	total, _ := w.gaps(began)
	t.Logf("SIGKILL of the leading server: no write went through for %s", total.Round(time.Millisecond))
	w.nothingIsLost(t, js)
	c.agree(t, rightWithin, c.nodes, "identity-1", "passes still", passes)
	c.startIdentity(t, "identity-2")
	c.agree(t, patience, c.nodes, "identity-2", "passes", passes)
}

// startServers starts three and returns them by their names.
func (c *cluster) startServers(t *testing.T) map[string]*process {
	t.Helper()
	clients := []string{reserved(t), reserved(t), reserved(t)}
	nodes := []string{reserved(t), reserved(t), reserved(t)}
	var routes, urls []string
	for i := range nodes {
		routes = append(routes, "nats://fairlead:pNodes@"+nodes[i])
		urls = append(urls, "nats://"+clients[i])
	}
	c.NATS = strings.Join(urls, ",")
	servers := map[string]*process{}
	for i, address := range clients {
		name := fmt.Sprintf("server-%d", i+1)
		servers[name] = startServer(t, name, address, []string{
			"FAIRLEAD_NODE=" + name, "FAIRLEAD_NATS_ADDR=" + address, "FAIRLEAD_CLUSTER_ADDR=" + nodes[i],
			"FAIRLEAD_ROUTES=[ " + strings.Join(routes, ", ") + " ]", "FAIRLEAD_STORE=" + t.TempDir(),
		}, "cluster.conf")
	}
	return servers
}
