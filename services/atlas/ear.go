package atlas

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// An ear is a connection by which a node hears heartbeats. There are far more
// of them than of anything else, so they have connections of their own where
// they delay nobody: what they are too many for is them alone.
type ear struct {
	nc *nats.Conn
	// works is when this node last heard itself by it.
	works atomic.Int64
}

// earFor is how long an ear counts as hearing after it did: a heartbeat may be
// late by as much before anybody is missed.
func (t Terms) earFor() time.Duration { return max(t.Every, 3*presentEvery) }

// listen tells which connections are the ears.
func (n *Node) listen() {
	if len(n.opts.Heartbeats) == 0 {
		n.ears = []*ear{{nc: n.nc}}
		return
	}
	for _, conn := range n.opts.Heartbeats {
		n.ears = append(n.ears, &ear{nc: conn.NATS()})
	}
}

// tryEars notes what this node hears of itself by each ear.
func (n *Node) tryEars(name string) error {
	for _, e := range n.ears {
		e.works.Store(int64(n.momentNow()))
		sub, err := e.nc.Subscribe(nodeSubject, func(m *nats.Msg) {
			var p presence
			if json.Unmarshal(m.Data, &p) == nil && p.Node == name {
				e.works.Store(int64(n.momentNow()))
			}
		})
		if err != nil {
			return fmt.Errorf("hear itself: %w", err)
		}
		n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	}
	return nil
}

// hears tells whether heartbeats can have been heard until now.
func (n *Node) hears(now moment) bool {
	for _, e := range n.ears {
		if !e.nc.IsConnected() || now.since(moment(e.works.Load())) > n.opts.Terms.earFor() {
			return false
		}
	}
	return true
}

// noticeDeafness has nobody judged while heartbeats cannot be heard, and gives
// everybody a full lease afterwards.
func (s *state) noticeDeafness(now moment) {
	heard := s.node.hears(now)
	switch {
	case !heard && !s.muffled:
		s.node.log.Warn("heartbeats cannot be heard, nobody is judged")
	case heard && s.muffled:
		s.node.log.Info("heartbeats are heard again, leases start anew")
		s.renewAll(now)
	}
	s.muffled = !heard
}

// flushEars waits until the server knows what the ears listen to.
func (n *Node) flushEars(ctx context.Context) error {
	for _, e := range n.ears {
		if err := e.nc.FlushWithContext(ctx); err != nil {
			return err
		}
	}
	return nil
}
