package sidecar

import (
	"context"
	"time"

	"fairlead.dev/registry"
)

// A DataPlane carries requests to the instances of a routing table.
type DataPlane interface {
	// Run serves until ctx ends, then stops taking requests, lets those in
	// flight finish within a bound of its own, and returns nil. An error
	// before that means that the plane carries nothing any more.
	Run(ctx context.Context) error
	// Apply makes the plane equal to a table. It gets the full state, is
	// idempotent, and is never called concurrently; it may be called before
	// Run and while Run runs. When it fails, the plane goes on with what it
	// had and is given a table again later.
	Apply(ctx context.Context, table *registry.Table) error
}

// A Describer is a [DataPlane] that tells of itself. Describe may be called at
// any time.
type Describer interface{ Describe() PlaneStatus }

// A PlaneStatus is what a data plane tells of itself.
type PlaneStatus struct {
	// Kind is builtin or haproxy.
	Kind string `json:"kind,omitempty"`
	// Starts and Reloads count those of this sidecar's time; Last is when the
	// last of them was, and Why what it was for.
	Starts  int       `json:"starts,omitempty"`
	Reloads int       `json:"reloads"`
	Last    time.Time `json:"last,omitzero"`
	Why     string    `json:"why,omitempty"`
	// Repairs counts how often the plane was found other than it was left.
	Repairs int `json:"repairs,omitempty"`
	// Problem says why the plane cannot be kept equal to the table, and Warning
	// what somebody has to do about one that can.
	Problem string `json:"problem,omitempty"`
	Warning string `json:"warning,omitempty"`
}
