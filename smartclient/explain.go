package smartclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead.dev/registry"
)

// Explain tells what this client alone knows of the instances that it may send
// a service's requests to: in which order it prefers them, and which it has set
// aside. It is nil if the client has not called the service yet. With the table
// it is what [registry.Explain] judges by.
func (t *Transport) Explain(service string) map[string]registry.Local {
	_, v := t.known(service)
	if v == nil {
		return nil
	}
	return v.explain(t.now())
}

// Explain tells which instances of a service get this client's requests, and
// why the others do not: by the table and by what the client itself has found
// out. An answer that is empty says which of no such service, none enabled and
// registry never seen it is ([registry.Explanation.Err]).
//
// It asks the resolver as a request would. With a sidecar it is the sidecar that
// is asked, for five seconds at most.
func (c *Client) Explain(ctx context.Context, service string) (registry.Explanation, error) {
	if err := registry.ValidateName("service", service); err != nil {
		return registry.Explanation{}, err
	}
	if c.transport.options.Resolver == nil {
		return registry.Explanation{}, errNoResolver
	}
	if t := c.transport; t.sidecar != nil {
		x, err := t.sidecar.explain(ctx, t.base, t.options.Realm, service)
		if err != nil {
			return x, fmt.Errorf("explain %s: %w", service, err)
		}
		return x, nil
	}
	table, err := c.transport.tableOf(ctx, service)
	if err != nil {
		return registry.Explanation{}, fmt.Errorf("explain %s: %w", service, err)
	}
	return registry.Explain(registry.Evidence{
		Realm: c.transport.options.Realm, Service: service, Table: table, Now: time.Now(), Local: c.transport.Explain(service),
	}), nil
}

// tableOf returns the resolver's table if it has one, else one of what it knows
// of the service. What the registry says of the service is no error here.
func (t *Transport) tableOf(ctx context.Context, service string) (*registry.Table, error) {
	s, err := t.options.Resolver.Resolve(ctx, service)
	told := err == nil || errors.Is(err, registry.ErrNoSuchService) || errors.Is(err, registry.ErrNeverSeen)
	if w, ok := t.options.Resolver.(registry.Watcher); ok && told {
		table, _ := w.Table()
		return table, nil
	}
	none := registry.NewTable(t.options.Realm, "")
	known := none.As(registry.Revision{Epoch: "unknown"}, registry.Live, time.Now())
	switch {
	case errors.Is(err, registry.ErrNeverSeen):
		return none, nil
	case errors.Is(err, registry.ErrNoSuchService):
		return known, nil
	case err != nil:
		return nil, err
	}
	return known.WithService(service, s.Revision, s.Instances()), nil
}

// explain ranks by the groups; those that picking begins with are one rank.
func (v *view) explain(now time.Duration) map[string]registry.Local {
	all := make(map[string]registry.Local, len(v.all()))
	begin := int(v.widened.Load())
	for rank := range v.groups[begin:] {
		for i := range v.groups[begin+rank].endpoints {
			e := &v.groups[begin+rank].endpoints[i]
			if _, has := all[e.instance.ID]; !has {
				all[e.instance.ID] = e.load.explain(rank, now)
			}
		}
	}
	return all
}

func (l *load) explain(rank int, now time.Duration) registry.Local {
	local := registry.Local{Rank: rank, Failures: int(l.fails.Load()), InFlight: int(l.inFlight.Load())}
	if until := l.ejected.until.Load(); until != 0 {
		local.Ejected, local.BackInMS = true, (time.Duration(until) - now).Milliseconds()
	}
	return local
}
