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

func (v *view) explain(now time.Duration) map[string]registry.Local {
	all := make(map[string]registry.Local, v.count)
	for rank := range v.groups {
		for i := range v.groups[rank].endpoints {
			e := &v.groups[rank].endpoints[i]
			all[e.instance.ID] = e.load.explain(rank, now)
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
