package sidecar

import (
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
