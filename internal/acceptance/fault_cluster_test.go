package acceptance

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// fleetOfCluster starts a fleet around three nodes.
func fleetOfCluster(t *testing.T) (*cluster, *fleet) {
	t.Helper()
	c := newCluster(t)
	c.start(t, c.nodes...)
	living := []string{"identity-1", "identity-2", "identity-3"}
	for _, id := range living {
		c.startIdentity(t, id)
		c.agree(t, patience, c.nodes, id, "passes", passes)
	}
	return c, newFleet(t, c.NATS, newTruth(t, c.storage(t).Conn()), living...)
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
