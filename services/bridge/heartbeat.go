package bridge

import (
	"errors"
	"net/http"
	"time"

	"fairlead.dev/registry"
)

// beatBody is the body of a heartbeat; every field may be left out.
type beatBody struct {
	Incarnation string          `json:"incarnation"`
	Token       string          `json:"token"`
	Status      registry.Status `json:"status"`
	InFlight    int             `json:"in_flight"`
	Load        float64         `json:"load"`
}

func (b beatBody) validate() error {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateReported(b.Status))
	if b.InFlight < 0 {
		errs.Addf("in_flight", "must not be negative, got %d", b.InFlight)
	}
	if b.Load < 0 {
		errs.Addf("load", "must not be negative, got %g", b.Load)
	}
	return errs.Err()
}

// heartbeat keeps a lease. Without a body it is that of the last registration
// made here, and the instance is passing.
func (b *Bridge) heartbeat(w http.ResponseWriter, r request) error {
	body := beatBody{Status: registry.Passing}
	if err := decodeOptional(w, r.Request, &body); err != nil {
		return err
	}
	if err := body.validate(); err != nil {
		return err
	}
	held, known := b.leases.complete(r.key, lease{body.Incarnation, body.Token}, time.Now())
	if !known {
		return registry.ErrUnknown
	}
	err := b.opts.Atlas.Heartbeat(r.Context(), r.key, registry.Heartbeat{
		Incarnation: held.incarnation, Token: held.token,
		Status: body.Status, InFlight: body.InFlight, Load: body.Load,
	})
	if errors.Is(err, registry.ErrUnknown) || errors.Is(err, registry.ErrStale) {
		b.leases.forget(r.key, held)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
