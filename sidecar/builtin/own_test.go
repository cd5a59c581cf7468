package builtin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairlead.dev/sidecar/route"
)

func TestOwnPathsAreServedOnlyToThoseWhoNameNoService(t *testing.T) {
	own := http.NewServeMux()
	own.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	plane, err := New(Options{Realm: "local", Own: own})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, target, host, service string
		want                        int
	}{
		{"own path", "/health", "127.0.0.1:4000", "", http.StatusTeapot},
		{"own path by name", "/health", "localhost", "", http.StatusTeapot},
		{"another path", "/users", "127.0.0.1:4000", "", http.StatusBadRequest},
		{"a service by header", "/health", "127.0.0.1:4000", "identity", http.StatusServiceUnavailable},
		{"a service by host", "/health", "identity.service", "", http.StatusServiceUnavailable},
		{"a stranger's host", "/health", "evil.example.com", "", http.StatusMisdirectedRequest},
		{"by proxy", "http://127.0.0.1:4000/health", "127.0.0.1:4000", "", http.StatusForbidden},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, c.target, nil)
			r.Host = c.host
			if c.service != "" {
				r.Header.Set(route.ServiceHeader, c.service)
			}
			w := httptest.NewRecorder()
			plane.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}
