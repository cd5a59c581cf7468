package attend

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestIdentify(t *testing.T) {
	says := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Fairlead-Instance", "local/orders/a")
		w.Header().Set("Fairlead-Incarnation", "X")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	tests := []struct {
		name, pattern, health string
		want                  bool
	}{
		{"where it is checked", "/ready", "/ready", true},
		{"where it is not checked", "/health/live", "/orders", true},
		{"checked by a connection", "/health/live", "", true},
		{"elsewhere", "/other", "/ready", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("GET "+tt.pattern, says)
			server := httptest.NewServer(mux)
			defer server.Close()
			spec := Spec{Registration: endpointOf(server.Listener, tt.health)}.WithDefaults()
			as, itself := identifierOf(spec)(t.Context())
			if itself != tt.want || itself && as != "local/orders/a" {
				t.Errorf("got %q, %t", as, itself)
			}
		})
	}
}

func TestIdentifySomethingThatIsNoHTTP(t *testing.T) {
	listener := listen(t)
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			_ = conn.Close()
		}
	}()
	spec := Spec{Registration: endpointOf(listener, "")}.WithDefaults()
	if as, itself := identifierOf(spec)(t.Context()); itself {
		t.Errorf("it registers itself as %q", as)
	}
}
