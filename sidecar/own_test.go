package sidecar

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"fairlead.dev/registry"
)

func TestASidecarThatCarriesNothingIsNotHealthy(t *testing.T) {
	s := New(&fakePlane{}, newWatcher(registry.NewTable("local", "")), Options{})
	mux := http.NewServeMux()
	s.Mount(mux, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for path, want := range map[string]int{"/health": 503, "/status": 200, "/metrics": 200, "/else": 404} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// A settingAside is a plane that has set an instance aside.
type settingAside struct{ fakePlane }

func (*settingAside) Explain(string) map[string]registry.Local {
	return map[string]registry.Local{"a": {Ejected: true, Failures: 5}, "b": {}}
}

func TestASidecarExplainsItsOwnView(t *testing.T) {
	table := registry.NewTable("local", "e").WithService("identity", 1, []registry.Instance{
		{Service: "identity", ID: "a", Status: registry.Passing, Enabled: true},
		{Service: "identity", ID: "b", Status: registry.Passing, Enabled: true},
	})
	mux := http.NewServeMux()
	New(&settingAside{}, newWatcher(table), Options{}).Mount(mux, nil)
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	var x registry.Explanation
	if err := json.Unmarshal(ask("/v1/realms/local/services/identity/explain").Body.Bytes(), &x); err != nil {
		t.Fatal(err)
	}
	if x.In != 1 || x.Facts || x.Instances[0].Standing != registry.Aside || !x.Instances[1].In {
		t.Errorf("explained as %+v", x)
	}
	for path, want := range map[string]int{
		"/v1/realms/other/services/identity/explain": 404, "/v1/realms/local/services/a.b/explain": 400,
		"/v1/realms/local/services/nobody/explain": 200,
	} {
		if w := ask(path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
