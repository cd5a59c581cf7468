package atlasclient

import (
	"fmt"
	"sync"
	"testing"

	"fairlead.dev/registry"
)

// A choir is many listeners of one client, a service each.
type choir struct {
	*fixture
	updates []chan registry.Update
	stops   []func()
}

func newChoir(t *testing.T, n int) *choir {
	c := &choir{fixture: start(t)}
	for i := range n {
		heard := make(chan registry.Update, 16)
		stop, err := c.client.Listen(registry.Interest{Realm: "local", Service: serviceOf(i)}, func(u registry.Update) { heard <- u })
		if err != nil {
			t.Fatal(err)
		}
		c.updates, c.stops = append(c.updates, heard), append(c.stops, stop)
	}
	if err := c.conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	return c
}

func serviceOf(i int) string { return fmt.Sprintf("service%d", i) }

// sing tells everybody something, and whoever listens hears it.
func (c *choir) sing(revision uint64, listens func(i int) bool) {
	c.Helper()
	for i := range c.updates {
		c.publish("atlas.v1.digest.local."+serviceOf(i), fmt.Sprintf(`{"realm":"local","service":%q,"revision":%d}`, serviceOf(i), revision))
	}
	for i, heard := range c.updates {
		if !listens(i) {
			continue
		}
		if u := c.next(heard); u.Digest == nil || u.Digest.Service != serviceOf(i) || u.Digest.Revision != revision {
			c.Errorf("listener %d heard %+v, expected its own digest of revision %d", i, u, revision)
		}
	}
}

func TestListenersShareEars(t *testing.T) {
	c := newChoir(t, 3*earMost)
	everybody := func(int) bool { return true }
	c.sing(1, everybody)
	if ears := len(c.client.ears.all); ears != 3 {
		t.Errorf("%d ears, expected 3", ears)
	}
	odd := func(i int) bool { return i%2 == 1 }
	var stopping sync.WaitGroup
	for i, stop := range c.stops {
		if !odd(i) {
			stopping.Go(stop)
		}
	}
	stopping.Wait()
	c.sing(2, odd)
	for i, heard := range c.updates {
		if !odd(i) && len(heard) > 0 {
			t.Errorf("listener %d heard %+v after it had stopped", i, <-heard)
		}
	}
	for _, stop := range c.stops {
		stop()
	}
	if ears := len(c.client.ears.all); ears != 0 {
		t.Errorf("%d ears are left", ears)
	}
}

// TestALossIsToldToThoseItConcerns: others at the same ear have missed nothing.
func TestALossIsToldToThoseItConcerns(t *testing.T) {
	c := newChoir(t, earMost)
	var lossy *listener
	for _, l := range c.client.ears.all[0].listeners {
		if l.interest.Service == serviceOf(3) {
			lossy = l
		}
	}
	lossy.tellLost()
	if u := c.next(c.updates[3]); !u.Lost {
		t.Errorf("it heard %+v, expected to be told of the loss", u)
	}
	c.sing(1, func(int) bool { return true })
	for _, stop := range c.stops {
		stop()
	}
}
