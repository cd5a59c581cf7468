package atlas

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
)

// connID names one connection to the bus: the server's name and its id there.
type connID struct {
	server string
	client uint64
}

// connections tells which instances speak through which connection. The zero
// value is empty.
type connections struct {
	keys map[connID]map[registry.Key]bool
	of   map[registry.Key]connID
}

func (c *connections) add(k registry.Key, id connID) {
	if id.client == 0 || c.of[k] == id {
		return
	}
	c.remove(k)
	if c.keys == nil {
		c.keys, c.of = map[connID]map[registry.Key]bool{}, map[registry.Key]connID{}
	}
	if c.keys[id] == nil {
		c.keys[id] = map[registry.Key]bool{}
	}
	c.keys[id][k], c.of[k] = true, id
}

func (c *connections) remove(k registry.Key) {
	id := c.of[k]
	delete(c.of, k)
	delete(c.keys[id], k)
	if len(c.keys[id]) == 0 {
		delete(c.keys, id)
	}
}

// watchConnections has the instances of a connection that closes probed at
// once: a program that was killed is known within milliseconds, and one that
// only lost the bus answers and stays.
func (n *Node) watchConnections(ctx context.Context) error {
	sub, err := n.nc.Subscribe("$SYS.ACCOUNT.APP.DISCONNECT", func(m *nats.Msg) {
		var gone struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
			Client struct {
				ID uint64 `json:"id"`
			} `json:"client"`
		}
		if json.Unmarshal(m.Data, &gone) != nil || gone.Client.ID == 0 {
			return
		}
		n.tell(ctx, func(s *state) { s.connectionClosed(ctx, connID{gone.Server.Name, gone.Client.ID}) })
	})
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	return nil
}

func (s *state) connectionClosed(ctx context.Context, id connID) {
	for k := range s.conns.keys[id] {
		if l := s.leases[k]; l != nil {
			l.secondLooks = len(secondLooks)
			s.probe(ctx, l)
		}
	}
}

// secondLooks are the pauses before an instance that still answered after its
// connection had closed is asked again, the last one first: a program that is
// being killed may close its sockets one by one.
var secondLooks = []time.Duration{time.Second, 300 * time.Millisecond, 100 * time.Millisecond}

// lookAgain probes once more after a pause, unless there was a heartbeat.
func (s *state) lookAgain(ctx context.Context, l *lease) {
	if l.secondLooks == 0 {
		return
	}
	l.secondLooks--
	after, seen := secondLooks[l.secondLooks], l.seen
	s.node.work.Go(func() {
		pause := time.NewTimer(after)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		s.node.tell(ctx, func(s *state) {
			if s.leases[l.key] == l && l.seen.Equal(seen) {
				s.probe(ctx, l)
			}
		})
	})
}
