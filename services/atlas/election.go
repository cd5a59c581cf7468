package atlas

import (
	"time"

	"fairlead.dev/registry/protocol"
)

// A presence is what a node says of itself, several times a second, to the
// other nodes: enough for each of them to find the same leader by itself.
type presence struct {
	Node    string    `json:"node"`
	Started time.Time `json:"started"`
	// Epoch and Sequence are how far its model is.
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
	// Leads tells that it leads now, Settled that it has heard heartbeats for
	// as long as a lease, so that it may judge.
	Leads   bool `json:"leads"`
	Settled bool `json:"settled"`
	// Able tells that its model is as far as the bucket, and that the bucket
	// answers it. A node on the smaller side of a divided cluster is not.
	Able bool `json:"able"`
	// Held is what the leader holds back, by realm, so that every node can tell.
	Held map[string]*protocol.HeldEvictions `json:"held,omitempty"`
	// Storage is why nothing can be written next to it; "" if all is well.
	Storage string `json:"storage,omitempty"`
	// Leaving is a stopping node's last word.
	Leaving bool `json:"leaving,omitempty"`
}

// elect picks the leader among those who were heard lately; "" if none of them
// can lead. Whoever leads goes on, so that leadership moves only when it must.
// Otherwise it is the settled before those who still wait, then who has run
// for longest, then the lower name.
//
// It is a rule, not a consensus: nodes that hear different things may find
// different leaders for a moment. That is harmless, because every write is a
// compare-and-set and every change carries its revision.
func elect(heard []presence) string {
	var best *presence
	for i := range heard {
		if p := &heard[i]; p.eligible() && (best == nil || p.outranks(best)) {
			best = p
		}
	}
	if best == nil {
		return ""
	}
	return best.Node
}

func (p *presence) eligible() bool { return p.Able && !p.Leaving }

func (p *presence) outranks(q *presence) bool {
	switch {
	case p.Leads != q.Leads:
		return p.Leads
	case p.Settled != q.Settled:
		return p.Settled
	case !p.Started.Equal(q.Started):
		return p.Started.Before(q.Started)
	}
	return p.Node < q.Node
}
