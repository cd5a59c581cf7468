package smartservice

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// A caller is how a service calls others. The client can be had before the
// service started, when no way to the realm is open yet; requests made then
// wait for it.
type caller struct {
	client   func() *smartclient.Client
	opened   chan struct{} // closed once resolver is set
	resolver registry.Resolver
}

func newCaller(makeClient func() *smartclient.Client) *caller {
	return &caller{client: sync.OnceValue(makeClient), opened: make(chan struct{})}
}

// Client returns the client that calls other services by name, through the
// service's own session and with its metrics and traces. Its settings, the
// zone among them, are those known at the first call, so call it in handlers
// or after the flags were parsed. Requests made before the service started
// wait for that, bounded by their context.
func (a *App) Client() *smartclient.Client { return a.caller.client() }

func (a *App) newClient() *smartclient.Client {
	// What is wrong with the options the start will tell.
	o, _ := a.resolve()
	c := o.Client
	c.Realm, c.Resolver = o.Realm, a.caller
	c.Zone = cmp.Or(c.Zone, o.Zone)
	c.Sidecar = cmp.Or(c.Sidecar, a.env.getenv(smartclient.EnvSidecar))
	c.Logger = cmp.Or(c.Logger, o.Logger)
	if c.TracerProvider == nil {
		c.TracerProvider = a.telemetry.tracers
	}
	if c.MeterProvider == nil {
		c.MeterProvider = a.telemetry.meters
	}
	if c.Propagator == nil {
		c.Propagator = propagator()
	}
	return smartclient.New(c)
}

// open gives the caller its resolver, once.
func (c *caller) open(r registry.Resolver) {
	c.resolver = r
	close(c.opened)
}

// Resolve implements [registry.Resolver].
func (c *caller) Resolve(ctx context.Context, service string) (*registry.Service, error) {
	select {
	case <-c.opened:
		return c.resolver.Resolve(ctx, service)
	case <-ctx.Done():
		return nil, fmt.Errorf("service has not started: %w: %w", registry.ErrNeverSeen, ctx.Err())
	}
}
