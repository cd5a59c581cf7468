package bridge

import (
	"fmt"
	"net/http"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// metaAnswer is what is known of a service, and since which revision.
type metaAnswer struct {
	registry.ServiceKey
	Revision registry.Revision `json:"revision"`
	Meta     registry.Meta     `json:"meta"`
}

// showMeta answers with what is known of a service. Its ETag serves PUT and
// DELETE as If-Match.
func (b *Bridge) showMeta(w http.ResponseWriter, r request) error {
	key := r.key.ServiceKey()
	v, err := b.view(r.Context(), registry.Interest(key))
	if err != nil {
		return err
	}
	for _, s := range v.Services {
		if s.Name == key.Service && !s.Meta.IsZero() {
			at := registry.Revision{Epoch: v.Revision.Epoch, Sequence: s.MetaRevision}
			return writeAsOf(w, r, at, metaAnswer{key, at, s.Meta})
		}
	}
	return problem.New(http.StatusNotFound, "unknown", fmt.Sprintf("meta: nothing is known of %s", key))
}

// setMeta replaces what is known of a service.
func (b *Bridge) setMeta(w http.ResponseWriter, r request) error {
	expect, err := expected(r.Header)
	if err != nil {
		return err
	}
	body, err := readBody(w, r.Request)
	if err != nil {
		return err
	}
	meta, err := registry.DecodeMeta(body)
	if err != nil {
		return err
	}
	key := r.key.ServiceKey()
	revision, err := b.opts.Atlas.SetMeta(r.Context(), key, &meta, expect)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(revision))
	return writeJSON(w, http.StatusOK, metaAnswer{key, revision, meta})
}

// clearMeta takes away what is known of a service.
func (b *Bridge) clearMeta(w http.ResponseWriter, r request) error {
	expect, err := expected(r.Header)
	if err != nil {
		return err
	}
	if _, err := b.opts.Atlas.SetMeta(r.Context(), r.key.ServiceKey(), nil, expect); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// expected reads the revision that a writer means to replace, from If-Match;
// nil is any. Weak tags never match (RFC 9110 §13.1.1).
func expected(h http.Header) (*registry.Revision, error) {
	value := strings.TrimSpace(h.Get("If-Match"))
	if h.Get("If-None-Match") != "" {
		return nil, &registry.FieldError{Field: "If-None-Match", Problem: "is not supported here"}
	}
	if value == "" {
		return nil, nil
	}
	revision, err := registry.ParseRevision(strings.Trim(value, `"`))
	if err != nil || !strings.HasPrefix(value, `"`) {
		return nil, &registry.FieldError{Field: "If-Match", Problem: fmt.Sprintf("must be one ETag that was given for this, got %.80q", value)}
	}
	return &revision, nil
}
