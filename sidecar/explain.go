package sidecar

import (
	"context"
	"net/http"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// A Locality is a [DataPlane] that tells what it alone knows of the instances
// of a service, such as which it has set aside after failures; nil if it has
// not sent any request there yet.
type Locality interface {
	Explain(service string) map[string]registry.Local
}

// explainTimeout bounds the wait for Atlas: what the sidecar knows by itself
// should not take long because Atlas is away.
const explainTimeout = time.Second

// Explain tells which instances of a service this host's requests go to, and
// why not to the others. A service that was not used yet is followed from now
// on, as by a request. Atlas is asked for what it alone knows, and done without
// if it does not answer.
func (s *Sidecar) Explain(ctx context.Context, service string) registry.Explanation {
	ctx, cancel := context.WithTimeout(ctx, explainTimeout)
	defer cancel()
	if resolver, ok := s.watcher.(registry.Resolver); ok {
		_, _ = resolver.Resolve(ctx, service) // what comes of it is in the table
	}
	table, _ := s.watcher.Table()
	evidence := registry.Evidence{Realm: table.Realm, Service: service, Table: table, Now: time.Now()}
	if plane, ok := s.plane.(Locality); ok {
		evidence.Local = plane.Explain(service)
	}
	if s.opts.Explainer != nil {
		if facts, err := s.opts.Explainer.Facts(ctx, registry.ServiceKey{Realm: table.Realm, Service: service}); err == nil {
			evidence.Facts = &facts
		}
	}
	return registry.Explain(evidence)
}

func (s *Sidecar) answerExplain(w http.ResponseWriter, r *http.Request) {
	key := registry.ServiceKey{Realm: r.PathValue("realm"), Service: r.PathValue("service")}
	if err := key.Validate(); err != nil {
		problem.New(http.StatusBadRequest, "invalid", err.Error()).Write(w)
		return
	}
	if table, _ := s.watcher.Table(); table.Realm != key.Realm {
		problem.New(http.StatusNotFound, "other-realm", "realm: this sidecar is in "+table.Realm+", not in "+key.Realm).Write(w)
		return
	}
	answer(w, http.StatusOK, "application/json", s.Explain(r.Context(), key.Service))
}
