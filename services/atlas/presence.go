package atlas

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

const (
	// nodeSubject is where nodes tell each other that they are there. It is in
	// account ATLAS and exported to nobody.
	nodeSubject = "atlas.internal.node"
	// presentEvery is how often a node says so, presentFor how long it counts
	// as present after that: four words may be lost.
	presentEvery = 200 * time.Millisecond
	presentFor   = time.Second
	// listenFor is how long a node that starts or wakes among others only
	// listens: every one of them speaks within that.
	listenFor = 300 * time.Millisecond
)

// A roster is who was heard when. The zero value is empty.
type roster struct {
	seen map[string]sighting
}

type sighting struct {
	presence
	at time.Time
}

func (r *roster) note(p presence, now time.Time) {
	if r.seen == nil {
		r.seen = map[string]sighting{}
	}
	r.seen[p.Node] = sighting{p, now}
}

// heard returns what those said who are present, and forgets the others.
func (r *roster) heard(now time.Time) []presence {
	all := make([]presence, 0, len(r.seen))
	for node, s := range r.seen {
		if now.Sub(s.at) > presentFor {
			delete(r.seen, node)
			continue
		}
		all = append(all, s.presence)
	}
	return all
}

// nodeName is unique to this run, and tells people on which host it is.
func nodeName() string {
	host, _ := os.Hostname()
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	return cmp.Or(host, "node") + "-" + strings.ToLower(randomID()[:6])
}

// hearNodes has the owner told of every node's presence, this one's own too:
// what comes back over the bus is proof that the others hear it.
func (n *Node) hearNodes(ctx context.Context) error {
	sub, err := n.nc.Subscribe(nodeSubject, func(m *nats.Msg) {
		var p presence
		if json.Unmarshal(m.Data, &p) != nil || p.Node == "" {
			return
		}
		n.tell(ctx, func(s *state) { s.hearNode(ctx, p, m.Reply, time.Now()) })
	})
	if err != nil {
		return fmt.Errorf("hear the other nodes: %w", err)
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	return nil
}

// meet tells whether other nodes are there already. The server knows at once
// that nobody listens, so a node that is alone does not wait.
func (n *Node) meet(ctx context.Context, p presence) (others bool) {
	ctx, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	data, _ := json.Marshal(p)
	_, err := n.nc.RequestWithContext(ctx, nodeSubject, data)
	return !errors.Is(err, nats.ErrNoResponders)
}

// say publishes this node's presence, to one asker or to all.
func (s *state) say(to string, now time.Time) {
	data, _ := json.Marshal(s.presence(now))
	if err := s.node.nc.Publish(to, data); err != nil {
		s.node.log.Debug("presence not published", "error", err)
	}
}

// presence is what this node says of itself.
func (s *state) presence(now time.Time) presence {
	return presence{
		Node: s.lead.node, Started: s.lead.started,
		Epoch: s.model.epoch, Sequence: s.model.seq,
		Leads: s.leads(), Settled: s.node.moment(now) >= s.grace, Able: s.able(now), Leaving: s.lead.leaving,
		Held: s.losses.held(), Storage: s.node.storageFault(),
	}
}

// heldBack is what the leader holds back in a realm, nil if nothing.
func (s *state) heldBack(realm string, now time.Time) *protocol.HeldEvictions {
	for _, p := range append(s.others(now), s.presence(now)) {
		if p.Node == s.lead.leader {
			return p.Held[realm]
		}
	}
	return nil
}

// nodes is who is present, for people to look at.
func (s *state) nodes(now time.Time) []protocol.NodeStatus {
	var all []protocol.NodeStatus
	for _, p := range append(s.others(now), s.presence(now)) {
		all = append(all, protocol.NodeStatus{
			Node: p.Node, Started: p.Started, Leads: p.Node == s.lead.leader, Settling: !p.Settled, Able: p.Able,
			Storage: p.Storage, Revision: registry.Revision{Epoch: p.Epoch, Sequence: p.Sequence},
		})
	}
	slices.SortFunc(all, func(a, b protocol.NodeStatus) int { return strings.Compare(a.Node, b.Node) })
	return all
}

// others is what the other nodes said lately.
func (s *state) others(now time.Time) []presence {
	return slices.DeleteFunc(s.lead.roster.heard(now), func(p presence) bool {
		return p.Node == s.lead.node || p.Leaving
	})
}
