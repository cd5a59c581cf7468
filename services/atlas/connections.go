package atlas

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// connID names one connection to the bus: the server's name and its id there.
type connID struct {
	server string
	client uint64
}

// A connection is one that instances speak through.
type connection struct {
	id     connID
	leases map[*lease]struct{}
}

// connections tells which instances speak through which connection. The zero
// value is empty.
type connections map[connID]*connection

// add notes that an instance speaks through a connection, and through no other.
func (c connections) add(l *lease, id connID) {
	if id.client == 0 || l.speaksThrough(id) {
		return
	}
	c.remove(l)
	conn := c[id]
	if conn == nil {
		conn = &connection{id: id, leases: map[*lease]struct{}{}}
		c[id] = conn
	}
	conn.leases[l] = struct{}{}
	l.conn.Store(conn)
}

func (c connections) remove(l *lease) {
	conn := l.conn.Swap(nil)
	if conn == nil {
		return
	}
	delete(conn.leases, l)
	if len(conn.leases) == 0 {
		delete(c, conn.id)
	}
}

// speaksThrough may be called by anybody.
func (l *lease) speaksThrough(id connID) bool {
	conn := l.conn.Load()
	return conn != nil && conn.id == id
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
	conn := s.conns[id]
	if conn == nil {
		return
	}
	now := s.node.momentNow()
	for l := range conn.leases {
		l.closed, l.secondLooks = now, int8(len(secondLooks))
		s.probeAtOnce(ctx, l)
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
	after, seen := secondLooks[l.secondLooks], l.seen()
	s.node.work.Go(func() {
		pause := time.NewTimer(after)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		s.node.tell(ctx, func(s *state) {
			if s.holds(l) && l.seen() == seen {
				s.probeAtOnce(ctx, l)
			}
		})
	})
}
