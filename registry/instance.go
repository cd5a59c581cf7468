package registry

import (
	"net"
	"strconv"
	"time"
)

// An Instance is the routing view of one instance: its registration, the
// overrides and its status, folded into what a router has to know. It is a
// value; holders must not change the Metadata map they share.
type Instance struct {
	Service     string            `json:"service"`
	ID          string            `json:"instance"`
	Scheme      string            `json:"scheme"`
	Host        string            `json:"host"`
	Port        int               `json:"port"`
	Health      string            `json:"health,omitempty"`
	Version     string            `json:"version,omitempty"`
	Zone        string            `json:"zone,omitempty"`
	Weight      int               `json:"weight"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Incarnation string            `json:"incarnation"`
	Status      Status            `json:"status"`
	Enabled     bool              `json:"enabled"`
	// Owner, Reason and Until tell who switched an instance off or had it
	// drained, why, and when that ends by itself.
	Owner  string    `json:"owner,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Since is when this incarnation registered.
	Since time.Time `json:"since,omitzero"`
	// Revision is the sequence of the last change of this view.
	Revision uint64 `json:"revision"`
}

// Addr returns "host:port".
func (i Instance) Addr() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }
