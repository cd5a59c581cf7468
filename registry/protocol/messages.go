package protocol

import (
	"slices"
	"strings"
	"time"

	"fairlead.dev/registry"
)

// RegisterRequest asks for a registration.
type RegisterRequest struct {
	Registration registry.Registration `json:"registration"`
	// Incarnation is the caller's random id of this life; empty asks Atlas to
	// make one.
	Incarnation string `json:"incarnation,omitempty"`
	// Token is the secret that heartbeats will carry, 16 to 128 characters;
	// empty asks Atlas to make one.
	Token string `json:"token,omitempty"`
	// Via names a go-between that registers for others, whose connection is
	// not the instance's own ("bridge"). Its closing says nothing of them.
	Via string `json:"via,omitempty"`
}

// LeaseReply answers a registration.
type LeaseReply struct {
	Incarnation string            `json:"incarnation"`
	Token       string            `json:"token"`
	Revision    registry.Revision `json:"revision"`
	HeartbeatMS int64             `json:"heartbeat_ms"`
	LeaseMS     int64             `json:"lease_ms"`
	// Beats is how many heartbeats one message may hold, see [BeatsMessage];
	// an Atlas that says nothing of it takes one.
	Beats int `json:"beats,omitempty"`
}

// Life returns the domain's form of what the registrant chose.
func (r RegisterRequest) Life() registry.Life {
	return registry.Life{Incarnation: r.Incarnation, Token: r.Token}
}

// NewLeaseReply returns the wire form of a lease.
func NewLeaseReply(l registry.Lease) LeaseReply {
	return LeaseReply{
		Incarnation: l.Incarnation, Token: l.Token, Revision: l.Revision,
		HeartbeatMS: l.Every.Milliseconds(), LeaseMS: l.TTL.Milliseconds(), Beats: BeatsMost,
	}
}

// Lease returns the domain's form.
func (r LeaseReply) Lease() registry.Lease {
	return registry.Lease{
		Incarnation: r.Incarnation, Token: r.Token, Revision: r.Revision,
		Every: time.Duration(r.HeartbeatMS) * time.Millisecond,
		TTL:   time.Duration(r.LeaseMS) * time.Millisecond,
	}
}

// HeartbeatMessage is the body of a heartbeat, published or requested.
type HeartbeatMessage struct {
	Incarnation string          `json:"incarnation"`
	Token       string          `json:"token"`
	Status      registry.Status `json:"status"`
	InFlight    int             `json:"in_flight,omitempty"`
	Load        float64         `json:"load,omitempty"`
}

// DeregisterRequest ends a lease.
type DeregisterRequest struct {
	Incarnation string `json:"incarnation"`
	Token       string `json:"token"`
}

// FlagRequest, WeightRequest and DrainRequest set an override; null takes it
// away. One of the two must be said.
type FlagRequest struct {
	Flag *registry.Flag `json:"flag"`
}

// WeightRequest sets or takes away a weight.
type WeightRequest struct {
	Weight *registry.Weight `json:"weight"`
}

// DrainRequest sets or takes away a drain.
type DrainRequest struct {
	Drain *registry.Drain `json:"drain"`
}

// MetaRequest replaces what is known of a service; null takes it away. One of
// the two must be said. Expect, if it is there, is the revision of what is to be replaced.
type MetaRequest struct {
	Meta   *registry.Meta     `json:"meta"`
	Expect *registry.Revision `json:"expect,omitempty"`
}

// ConfigureRequest sets one of a service's settings; null takes it away. One
// of the two must be said.
type ConfigureRequest struct {
	Value *string `json:"value"`
}

// RevisionReply answers everything that has no more to say than when it took
// effect.
type RevisionReply struct {
	Revision registry.Revision `json:"revision"`
}

// StatusReply tells how the registry stands.
type StatusReply struct {
	Revision registry.Revision `json:"revision"`
	// Settling is true while a node that started does not judge leases yet.
	Settling bool                   `json:"settling"`
	Realms   map[string]RealmStatus `json:"realms"`
	// Node is the node that answers, Nodes are all that are present, in the
	// order of their names.
	Node  string       `json:"node,omitempty"`
	Nodes []NodeStatus `json:"nodes,omitempty"`
	// Copies are those of the registry, where there are several.
	Copies *Copies `json:"copies,omitempty"`
	// Quarantined are the bucket's keys whose values make no sense, and why.
	Quarantined map[string]string `json:"quarantined"`
	// Waiting are overrides whose instance is not registered, the first
	// [MostWaiting] of all realms.
	Waiting []WaitingOverride `json:"waiting,omitempty"`
}

// Copies tells which servers keep the registry. Without a leader nothing can be
// written, and nothing more is known.
type Copies struct {
	Wanted    int        `json:"wanted"`
	Leader    string     `json:"leader"`
	Followers []Follower `json:"followers"`
}

// A Follower is a server that keeps what the leader writes.
type Follower struct {
	Server string `json:"server"`
	InStep bool   `json:"in_step"`
	Away   bool   `json:"away,omitempty"`
	Behind uint64 `json:"behind,omitempty"` // changes
}

// Within returns what may be told to whoever may know of one realm only. Keys
// that name no realm are for everybody.
func (r StatusReply) Within(realm string) StatusReply {
	counts, known := r.Realms[realm]
	r.Realms = map[string]RealmStatus{}
	if known {
		r.Realms[realm] = counts
	}
	quarantined := r.Quarantined
	r.Quarantined = map[string]string{}
	for key, problem := range quarantined {
		if of := realmOf(key); of == "" || of == realm {
			r.Quarantined[key] = problem
		}
	}
	r.Waiting = slices.DeleteFunc(slices.Clone(r.Waiting), func(o WaitingOverride) bool { return o.Realm != realm })
	return r
}

// realmOf returns the realm that a key of the registry's bucket is in.
func realmOf(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) < 3 || parts[0] != "hosts" && parts[0] != "services" {
		return ""
	}
	return parts[1]
}

// A NodeStatus is what one of the registry's nodes says of itself.
type NodeStatus struct {
	Node    string    `json:"node"`
	Started time.Time `json:"started"`
	// Leads tells that it publishes and judges; at most one node does.
	Leads bool `json:"leads"`
	// Settling is true while it judges no lease yet.
	Settling bool `json:"settling"`
	// Able tells that the registry's storage answers it, and that it knows
	// all that is stored there.
	Able bool `json:"able"`
	// Storage is why nothing can be written to the registry's storage, as far
	// as this node knows; empty if all is well.
	Storage  string            `json:"storage,omitempty"`
	Revision registry.Revision `json:"revision"`
}

// MostWaiting bounds the overrides that a status lists.
const MostWaiting = 100

// A WaitingOverride says what an instance would be, were it registered:
// "disabled", "draining" or "at weight 5".
type WaitingOverride struct {
	registry.Key
	Means string `json:"means"`
}

// RealmStatus counts what is registered in a realm.
type RealmStatus struct {
	Services  int `json:"services"`
	Instances int `json:"instances"`
	Disabled  int `json:"disabled"`
	// Waiting counts the overrides whose instance is not registered.
	Waiting  int                     `json:"waiting,omitempty"`
	Statuses map[registry.Status]int `json:"statuses"`
	// Held is what is not evicted because too many fell silent at once; absent
	// while nothing is.
	Held *HeldEvictions `json:"held,omitempty"`
}

// HeldEvictions are instances that are silent and listed all the same.
type HeldEvictions struct {
	Since time.Time `json:"since"`
	Count int       `json:"count"`
	// Some are the first [MostHeld] of them, in no order.
	Some []registry.Key `json:"some"`
}

// MostHeld bounds the held instances that a status lists.
const MostHeld = 20
