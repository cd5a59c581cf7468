package follow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

// TestWhateverHappensTheTableBecomesTheTruth does random things to a registry,
// faults among them, and lets it rest: the table then equals the truth, and
// never was empty while it had been told of instances.
func TestWhateverHappensTheTableBecomesTheTruth(t *testing.T) {
	for seed := range uint64(60) {
		opts := Options{WholeRealm: true}
		if seed%2 == 1 {
			opts = Options{Services: []string{"s0", "s1", "s2"}}
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, opts, func(f *fixture) {
				f.register("s0", "i0")
				f.start()
				c := chaos{f, rand.New(rand.NewPCG(seed, 7)), func() {}}
				for range 150 {
					c.happen()
					pass(time.Duration(c.random.IntN(400)) * time.Millisecond)
				}
				c.rest()
				f.equal()
			})
		})
	}
}

type chaos struct {
	*fixture
	random *rand.Rand
	open   func()
}

func (c *chaos) happen() {
	service, id := fmt.Sprint("s", c.random.IntN(3)), fmt.Sprint("i", c.random.IntN(6))
	switch n := c.random.IntN(40); {
	case n == 0:
		c.reg.GoAway()
	case n == 1:
		c.reg.ComeBack()
	case n == 2:
		c.reg.Forget()
	case n < 6:
		c.reg.DropNextChange()
	case n < 8:
		c.open()
		c.open = c.source.close()
	case n < 10:
		c.open()
		c.open = func() {}
	case n < 16:
		c.reg.PublishDigest()
	case n < 28:
		_, _ = c.reg.Register(context.Background(), key(service, id), registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{})
	case n < 34:
		_, _ = c.reg.SetFlag(context.Background(), key(service, id), &registry.Flag{Enabled: n%2 == 0})
	default:
		c.leave(service, id)
	}
}

// leave registers a life of its own and ends it, so that instances go.
func (c *chaos) leave(service, id string) {
	lease, err := c.reg.Register(context.Background(), key(service, id), registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{})
	if err == nil {
		_ = c.reg.Deregister(context.Background(), key(service, id), lease.Incarnation, lease.Token)
	}
}

// rest ends the faults and gives the digest its time. A service that the
// registry forgot has none, and is asked for after a silence.
func (c *chaos) rest() {
	c.open()
	c.reg.ComeBack()
	for range 15 {
		pass(2 * time.Second)
		c.reg.PublishDigest()
	}
	synctest.Wait()
}
