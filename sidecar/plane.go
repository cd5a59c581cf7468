package sidecar

import (
	"context"

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
