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

// serverStops is why the connections of a server close that is being stopped.
// It says nothing of the programs behind them.
const serverStops = "Server Shutdown"

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
			Reason string `json:"reason"`
		}
		if json.Unmarshal(m.Data, &gone) != nil || gone.Client.ID == 0 || gone.Reason == serverStops {
			return
		}
		n.tell(ctx, func(s *state) { s.connectionClosed(connID{gone.Server.Name, gone.Client.ID}, n.momentNow()) })
	})
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	return nil
}

func (s *state) connectionClosed(id connID, now moment) {
	s.closed[id] = now
	conn := s.conns[id]
	if conn == nil {
		return
	}
	for l := range conn.leases {
		s.conns.remove(l)
		s.orphans = append(s.orphans, l)
	}
}

// attach notes through which connection an instance speaks. A request may be
// dealt with after its connection has closed: nothing more will tell of it.
func (s *state) attach(l *lease, id connID) {
	if _, closed := s.closed[id]; closed {
		s.conns.remove(l)
		s.orphans = append(s.orphans, l)
		return
	}
	s.conns.add(l, id)
}

// closedFor is how long a closed connection is remembered: longer than any
// request of it may take.
const closedFor = 2 * requestTimeout

func (s *state) forgetClosed(now moment) {
	for id, at := range s.closed {
		if now.since(at) > closedFor {
			delete(s.closed, id)
		}
	}
}

// probeOrphans asks those whose connection closed.
func (s *state) probeOrphans(ctx context.Context) {
	now := s.node.momentNow()
	for _, l := range s.orphans {
		l.closed, l.secondLooks = now, int8(len(secondLooks))
		s.probeAtOnce(ctx, l)
	}
	s.orphans = nil
}

// secondLooks are the pauses before an instance that still answered after its
// connection had closed is asked again, the last one first: a program that is
// being killed may close its sockets one by one.
var secondLooks = []time.Duration{time.Second, 300 * time.Millisecond, 100 * time.Millisecond}

// lookAgain probes once more after a pause, unless the instance has another
// connection by then. A heartbeat alone is no reason not to: it may have been
// sent before the end.
func (s *state) lookAgain(ctx context.Context, l *lease) {
	if l.secondLooks == 0 {
		return
	}
	l.secondLooks--
	after := secondLooks[l.secondLooks]
	s.node.work.Go(func() {
		pause := time.NewTimer(after)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		s.node.tell(ctx, func(s *state) {
			if s.holds(l) && l.conn.Load() == nil {
				s.probeAtOnce(ctx, l)
			}
		})
	})
}
