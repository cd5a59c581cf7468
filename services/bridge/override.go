package bridge

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"fairlead.dev/registry"
)

// overrideAnswer tells what is set from a revision on.
type overrideAnswer struct {
	registry.Key
	Revision registry.Revision `json:"revision"`
	Set      any               `json:"set"`
}

// override returns the methods of one operators' override. The instance need
// not be registered.
func override[T any](decode func([]byte) (T, error), set func(context.Context, registry.Key, *T) (registry.Revision, error)) map[string]handler {
	return map[string]handler{
		http.MethodPut: bounded(func(w http.ResponseWriter, r request) error {
			body, err := readBody(w, r.Request)
			if err != nil {
				return err
			}
			value, err := decode(body)
			if err != nil {
				return err
			}
			revision, err := set(r.Context(), r.key, &value)
			if err != nil {
				return err
			}
			w.Header().Set("ETag", etag(revision))
			return writeJSON(w, http.StatusOK, overrideAnswer{r.key, revision, value})
		}),
		http.MethodDelete: bounded(func(w http.ResponseWriter, r request) error {
			if _, err := set(r.Context(), r.key, nil); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}),
	}
}

// decodeFlag reads a flag as an operator sends it: unlike one that is stored
// already, its end must lie in the future.
func decodeFlag(body []byte) (registry.Flag, error) {
	flag, err := registry.DecodeFlag(body)
	if err != nil {
		return registry.Flag{}, nameUntil(body, err)
	}
	if flag.Expired(time.Now()) {
		return registry.Flag{}, &registry.FieldError{Field: "until", Problem: fmt.Sprintf("must be in the future, got %s", flag.Until.Format(time.RFC3339))}
	}
	return flag, nil
}

// nameUntil puts the field's name to the error of a time that cannot be read,
// which encoding/json reports without one.
func nameUntil(body []byte, err error) error {
	var raw struct {
		Enabled any    `json:"enabled"`
		Owner   string `json:"owner"`
		Reason  string `json:"reason"`
		Until   any    `json:"until"`
	}
	if registry.DecodeStrict(body, &raw) != nil {
		return err
	}
	switch until := raw.Until.(type) {
	case nil:
		return err
	case string:
		if _, bad := time.Parse(time.RFC3339, until); bad == nil {
			return err
		}
	}
	return &registry.FieldError{Field: "until", Problem: fmt.Sprintf("must be a time such as 2030-01-02T15:04:05Z, got %.40q", fmt.Sprint(raw.Until))}
}
