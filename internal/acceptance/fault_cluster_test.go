package acceptance

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// fleetOfCluster starts a fleet around three nodes.
func fleetOfCluster(t *testing.T) (*cluster, *fleet) {
	t.Helper()
	c := newCluster(t)
	return c, fleetAround(t, c)
}

func fleetAround(t *testing.T, c *cluster) *fleet {
	t.Helper()
	c.start(t, c.nodes...)
	living := []string{"identity-1", "identity-2", "identity-3"}
	for _, id := range living {
		c.startIdentity(t, id)
		c.agree(t, patience, c.nodes, id, "passes", passes)
	}
	return newFleet(t, c.NATS, newTruth(t, c.storage(t).Conn()), living...)
}

func TestFaultTheLeadersOfAClusterAreKilledOneAfterTheOther(t *testing.T) {
	t.Parallel()
	c, f := fleetOfCluster(t)
	js := c.storage(t)
	for range 3 {
		leads := c.leader(t, js)
		leads.up.kill()
		pause(t, writableWithin)
		f.settles(t)
		c.start(t, leads)
	}
	f.endures(t)
}

func TestFaultAllNodesOfAClusterAreKilled(t *testing.T) {
	t.Parallel()
	c, f := fleetOfCluster(t)
	for range 2 {
		pause(t, time.Second)
		for _, n := range c.nodes {
			n.up.signal(syscall.SIGKILL)
		}
		for _, n := range c.nodes {
			within(t, patience, n.name+" ends", n.up.ended)
		}
		c.start(t, c.nodes...)
		pause(t, time.Second)
	}
	f.endures(t)
}

// A node that was stopped while it led wakes up with leases that are all over
// and with a stream that others lead by now.
func TestFaultNodesOfAClusterAreStoppedForAWhile(t *testing.T) {
	t.Parallel()
	c, f := fleetOfCluster(t)
	// A stream's leader that wakes up answers what was asked meanwhile, with
	// what it knew: the server's reads promise no more than that.
	f.work.blind.Store(true)
	for i, n := range c.nodes {
		n.up.signal(syscall.SIGSTOP)
		pause(t, 8*time.Second)
		n.up.signal(syscall.SIGCONT)
		pause(t, 4*time.Second)
		within(t, healedWithin, fmt.Sprintf("all is well after node %d woke up", i+1), func() bool { return f.differs(t.Context()) == nil })
	}
	f.endures(t)
}

// The worst is a full disk of the node that leads the registry's stream: it has
// to stand aside before others can write.
func TestFaultTheDiskOfAClustersLeaderIsFullForAWhile(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	c := newClusterIn(t, d.path, t.TempDir(), t.TempDir())
	f := fleetAround(t, c)
	full, js := c.nodes[0], c.storage(t)
	c.lead(t, js, full)
	pause(t, time.Second)

	d.fill(t)
	took := soon(t, healedWithin, "flags are set by the other nodes", func() error { return c.flip(t) })
	t.Logf("a flag was set %s after the disk was full", took.Round(time.Millisecond))
	pause(t, 5*time.Second)
	f.settles(t)
	for range 5 {
		if err := c.flip(t); err != nil {
			t.Errorf("while the disk is full: %v", err)
		}
	}
	if leads := streamInfo(js); leads == nil || leads.Leader == full.name {
		t.Errorf("the registry's stream is %+v", leads)
	}
	within(t, healedWithin, "its log says that nothing can be written", func() bool {
		return contains(full.up.said.String(), "nothing can be written to the store")
	})

	d.free(t)
	within(t, healedWithin, "its log says that it can write again", func() bool {
		return contains(full.up.said.String(), "the store can be written to again")
	})
	if full.up.ended() {
		t.Error("it did not live through it")
	}
	c.leader(t, js) // all copies are in step
	c.agree(t, healedWithin, c.nodes, "identity-1", "passes", passes)
	f.endures(t)
	within(t, healedWithin, "the doctor finds nothing wrong with the copies", func() bool {
		return contains(c.cli(t, "doctor").out, "3 of 3 copies in step")
	})
}

// flip sets and clears a flag.
func (c *cluster) flip(t *testing.T) error {
	t.Helper()
	for _, verb := range []string{"disable", "enable"} {
		if got := c.cli(t, verb, "identity", "identity-1", "--reason", "there is no room"); got.code != 0 {
			return errors.New(got.err)
		}
	}
	return nil
}

// lead has a node lead the registry's stream.
func (c *cluster) lead(t *testing.T, js jetstream.JetStream, n *node) {
	t.Helper()
	preferred := []byte(`{"placement":{"preferred":"` + n.name + `"}}`)
	soon(t, patience, n.name+" leads", func() error {
		if leads := c.leader(t, js); leads == n {
			return nil
		}
		_, err := js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN.KV_atlas", preferred, writableWithin)
		return cmp.Or(err, errors.New("another one leads"))
	})
}
