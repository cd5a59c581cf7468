package smartclient

import (
	"time"

	"fairlead.dev/registry"
)

// Explain tells what this client alone knows of the instances that it may send
// a service's requests to: in which order it prefers them, and which it has set
// aside. It is nil if the client has not called the service yet. With the table
// it is what [registry.Explain] judges by.
func (t *Transport) Explain(service string) map[string]registry.Local {
	b, ok := t.balancers.get(service)
	if !ok {
		return nil
	}
	v := b.current.Load()
	if v == nil {
		return nil
	}
	return v.explain(t.now())
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
