package bridge

import (
	"net/http"

	"fairlead.dev/registry"
)

// settingsAnswer is all settings of a service.
type settingsAnswer struct {
	registry.ServiceKey
	registry.Settings
}

// settingAnswer tells what is set from a revision on.
type settingAnswer struct {
	registry.ServiceKey
	Name     string            `json:"name"`
	Value    string            `json:"value"`
	Revision registry.Revision `json:"revision"`
}

// settingsRoutes are none where there is nothing to keep settings.
func (b *Bridge) settingsRoutes() []route {
	if b.opts.Settings == nil {
		return nil
	}
	return []route{
		{servicePath + "/settings", map[string]handler{http.MethodGet: bounded(b.listSettings)}},
		{servicePath + "/settings/{name}", map[string]handler{
			http.MethodPut: bounded(b.setSetting), http.MethodDelete: bounded(b.unsetSetting),
		}},
	}
}

// listSettings answers with all settings of a service; having none is no error.
func (b *Bridge) listSettings(w http.ResponseWriter, r request) error {
	key := r.key.ServiceKey()
	all, err := b.opts.Settings.Settings(r.Context(), key)
	if err != nil {
		return err
	}
	return writeAsOf(w, r, all.Revision, settingsAnswer{key, all})
}

// setSetting replaces one setting, whatever it was.
func (b *Bridge) setSetting(w http.ResponseWriter, r request) error {
	if err := refusePreconditions(r.Header); err != nil {
		return err
	}
	body, err := readBody(w, r.Request)
	if err != nil {
		return err
	}
	var given struct {
		Value *string `json:"value"`
	}
	if err := registry.DecodeStrict(body, &given); err != nil {
		return err
	}
	if given.Value == nil {
		return &registry.FieldError{Field: "value", Problem: "must be given; DELETE takes a setting away"}
	}
	key, name := r.key.ServiceKey(), r.key.Instance
	revision, err := b.opts.Settings.Configure(r.Context(), key, name, given.Value)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, settingAnswer{key, name, *given.Value, revision})
}

// unsetSetting takes one setting away, if it is there.
func (b *Bridge) unsetSetting(w http.ResponseWriter, r request) error {
	if err := refusePreconditions(r.Header); err != nil {
		return err
	}
	if _, err := b.opts.Settings.Configure(r.Context(), r.key.ServiceKey(), r.key.Instance, nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
