package bridge

import (
	"net/http"
	"time"

	"fairlead.dev/registry"
)

// explain answers which instances of a service get requests, and why the
// others do not. It is a GET that finds out something also where nothing of
// the service can be used, so that is no error here.
func (b *Bridge) explain(w http.ResponseWriter, r request) error {
	key, now := r.key.ServiceKey(), time.Now()
	v, err := b.view(r.Context(), registry.Interest(key))
	if err != nil {
		return err
	}
	evidence := registry.Evidence{Realm: key.Realm, Service: key.Service, Now: now, Table: v.Table().From(registry.Live, now)}
	if v.Source != "live" {
		evidence.Table = b.feeds.table(key.Realm)
	}
	if b.opts.Explainer != nil {
		// Without Atlas's facts the table alone explains much.
		if facts, err := b.opts.Explainer.Facts(r.Context(), key); err == nil {
			evidence.Facts = &facts
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, registry.Explain(evidence))
}
