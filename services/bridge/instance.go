package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/sidecar/problem"
)

// Headers that name a lease where a body would be unusual.
const (
	incarnationHeader = "Fairlead-Incarnation"
	tokenHeader       = "Fairlead-Token"
)

// leaseAnswer is what a registration gives.
type leaseAnswer struct {
	registry.Key
	protocol.LeaseReply
}

// register creates a registration (201) or replaces one (200).
func (b *Bridge) register(w http.ResponseWriter, r request) error {
	if err := refusePreconditions(r.Header); err != nil {
		return err
	}
	body, err := readBody(w, r.Request)
	if err != nil {
		return err
	}
	registration, err := registry.DecodeRegistration(body)
	if err != nil {
		return err
	}
	_, _, missing := b.instance(r.Context(), r.key)
	held, err := b.opts.Atlas.Register(r.Context(), r.key, registration, registry.Life{
		Incarnation: r.Header.Get(incarnationHeader), Token: r.Header.Get(tokenHeader),
	})
	if err != nil {
		return err
	}
	b.leases.put(r.key, lease{held.Incarnation, held.Token}, time.Now())
	w.Header().Set("ETag", etag(held.Revision))
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	if missing != nil {
		status = http.StatusCreated
		w.Header().Set("Location", r.URL.Path)
	}
	terms := protocol.NewLeaseReply(held)
	terms.Beats = 0 // a message for several instances is the bus's alone
	return writeJSON(w, status, leaseAnswer{r.key, terms})
}

// refusePreconditions refuses what cannot be held to: Atlas decides who may
// have an id by endpoint and lease, not by revision.
func refusePreconditions(h http.Header) error {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if h.Get(name) != "" {
			return &registry.FieldError{Field: name, Problem: "is not supported here"}
		}
	}
	return nil
}

// show answers with the routing view of an instance.
func (b *Bridge) show(w http.ResponseWriter, r request) error {
	in, epoch, err := b.instance(r.Context(), r.key)
	if err != nil {
		return err
	}
	answer := struct {
		Realm string `json:"realm"`
		registry.Instance
	}{r.key.Realm, in}
	return writeAsOf(w, r, registry.Revision{Epoch: epoch, Sequence: in.Revision}, answer)
}

// instance returns the view of one instance and the epoch it is of.
func (b *Bridge) instance(ctx context.Context, key registry.Key) (registry.Instance, string, error) {
	v, err := b.view(ctx, registry.Interest{Realm: key.Realm, Service: key.Service})
	if err != nil {
		return registry.Instance{}, "", err
	}
	for _, s := range v.Services {
		for _, in := range s.Instances {
			if s.Name == key.Service && in.ID == key.Instance {
				return in, v.Revision.Epoch, nil
			}
		}
	}
	return registry.Instance{}, "", problem.New(http.StatusNotFound, "unknown", fmt.Sprintf("instance: %s is not registered", key))
}

// deregister ends a lease, named by body, headers, or memory.
func (b *Bridge) deregister(w http.ResponseWriter, r request) error {
	var given struct {
		Incarnation string `json:"incarnation"`
		Token       string `json:"token"`
	}
	given.Incarnation, given.Token = r.Header.Get(incarnationHeader), r.Header.Get(tokenHeader)
	if err := decodeOptional(w, r.Request, &given); err != nil {
		return err
	}
	ended, known := b.leases.complete(r.key, lease{given.Incarnation, given.Token}, time.Now())
	err := b.opts.Atlas.Deregister(r.Context(), r.key, ended.incarnation, ended.token)
	if errors.Is(err, registry.ErrStale) && !known {
		return problem.New(http.StatusConflict, protocol.CodeStale, "token: must be given, because "+r.key.String()+" was not registered through this bridge since it started; to keep requests away from it, disable it")
	}
	if err != nil {
		return err
	}
	b.leases.forget(r.key, ended)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
