package attend

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestHTTPCheck(t *testing.T) {
	tests := []struct {
		name, contentType, body string
		code                    int
		want                    registry.Status
		reason                  string
	}{
		{"good", "text/plain", "ok", 200, registry.Passing, ""},
		{"without a body", "", "", 204, registry.Passing, ""},
		{"unwell", "text/plain", "no database", 503, registry.Critical, "503 Service Unavailable"},
		{"a redirect says nothing", "text/plain", "", 302, registry.Critical, "302 Found"},
		{"health+json passes", "application/health+json", `{"status":"pass"}`, 200, registry.Passing, ""},
		{"health+json warns", "application/health+json; charset=utf-8", `{"status":"warn","output":"disk"}`, 200, registry.Warning, "disk"},
		{"other JSON does not", "application/json", `{"status":"warn"}`, 200, registry.Passing, ""},
		{"broken health+json", "application/health+json", `{"status":`, 200, registry.Passing, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" || r.Method != http.MethodGet {
					t.Errorf("got %s %s", r.Method, r.URL)
				}
				w.Header().Set("Content-Type", tt.contentType)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			expect(t, endpointOf(server.Listener, "/health"), Check{}, tt.want, tt.reason)
		})
	}
}

func TestHTTPCheckOfASilentProgram(t *testing.T) {
	listener := listen(t) // the kernel accepts, the program never does
	got := checkWithin(t, endpointOf(listener, "/health"), Check{}, 50*time.Millisecond)
	if got.status != registry.Critical || !strings.Contains(got.reason, "no answer in time") {
		t.Errorf("got %q (%s)", got.status, got.reason)
	}
}

func TestTCPCheck(t *testing.T) {
	listener := listen(t)
	r := endpointOf(listener, "")
	expect(t, r, Check{}, registry.Passing, "")
	_ = listener.Close()
	expect(t, r, Check{}, registry.Critical, "connection refused")
}

func TestCommandCheck(t *testing.T) {
	tests := []struct {
		name, script string
		want         registry.Status
		reason       string
	}{
		{"passing", "exit 0", registry.Passing, ""},
		{"warning", "echo first; echo disk is nearly full; exit 1", registry.Warning, "exit status 1: disk is nearly full"},
		{"critical", "echo no disk >&2; exit 2", registry.Critical, "exit status 2: no disk"},
		{"killed", "kill -9 $$", registry.Critical, "signal: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expect(t, registry.Registration{}, Check{Command: []string{"/bin/sh", "-c", tt.script}}, tt.want, tt.reason)
		})
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	expect(t, registry.Registration{}, Check{Command: []string{"/no/such/program"}}, registry.Critical, "no such file")
}

func TestCommandThatTakesTooLong(t *testing.T) {
	check := Check{Command: []string{"/bin/sh", "-c", "sleep 60"}}
	got := checkWithin(t, registry.Registration{}, check, 50*time.Millisecond)
	if got.status != registry.Critical || !strings.Contains(got.reason, "no answer in time") {
		t.Errorf("got %q (%s)", got.status, got.reason)
	}
}

func TestSpecNamesEveryWrongField(t *testing.T) {
	spec := Spec{
		Key:          registry.Key{Realm: "local", Service: "No.Label", Instance: "a"},
		Registration: registry.Registration{Host: "127.0.0.1", Port: 70000},
		Check:        Check{Interval: time.Microsecond, Timeout: 2 * time.Hour, Rise: -1, Fall: 1000, Command: []string{""}},
	}
	err := spec.WithDefaults().Validate()
	if err == nil {
		t.Fatal("the spec is accepted")
	}
	for _, field := range []string{"service:", "port:", "check.interval:", "check.timeout:", "check.rise:", "check.fall:", "check.command:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q does not name %s", err, field)
		}
	}
}

func expect(t *testing.T, r registry.Registration, c Check, status registry.Status, reason string) {
	t.Helper()
	got := checkWithin(t, r, c, 10*time.Second)
	if got.status != status || !strings.Contains(got.reason, reason) {
		t.Errorf("got %q (%s), want %q (%s)", got.status, got.reason, status, reason)
	}
}

func checkWithin(t *testing.T, r registry.Registration, c Check, bound time.Duration) finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	return newChecker(Spec{Registration: r, Check: c}.WithDefaults())(ctx)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func endpointOf(l net.Listener, health string) registry.Registration {
	addr := netip.MustParseAddrPort(l.Addr().String())
	return registry.Registration{Host: addr.Addr().String(), Port: int(addr.Port()), Health: health}
}
