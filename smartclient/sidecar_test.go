package smartclient_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// bySidecar returns a client that knows nothing but a sidecar's URL.
func bySidecar(t *testing.T, url string) *smartclient.Client {
	t.Helper()
	return newClient(t, smartclient.Options{Realm: "test", Sidecar: url})
}

func TestRequestsByTheSidecar(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Header.Get("Fairlead-Service"), r.Host, r.URL, body)
	})
	for _, url := range []string{base, base + "/", strings.TrimPrefix(base, "http://")} {
		resp, err := bySidecar(t, url).Put("service://identity/users/1?x=1", "text/plain", strings.NewReader(bodyText))
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); got != "PUT identity identity /users/1?x=1 hello" {
			t.Errorf("got %q", got)
		}
	}
}

func TestTheEnvironmentNamesASidecar(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Fairlead-Service"))
	})
	t.Setenv(smartclient.EnvSidecar, base)
	resp, err := newClient(t, smartclient.Options{}).Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "identity" {
		t.Errorf("got %q", got)
	}
	// A sidecar's own client has a resolver, and must not call itself.
	good, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") })
	if resp, err = newClient(t, options(newRealm(at("a", good)))).Get("service://identity/"); err != nil || readAll(t, resp) != "direct" {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestBadSidecarURLs(t *testing.T) {
	for _, url := range []string{"ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://127.0.0.1:1/path", "http://%zz"} {
		_, err := bySidecar(t, url).Get("service://identity/")
		if err == nil || !strings.Contains(err.Error(), "FAIRLEAD_SIDECAR") {
			t.Errorf("%s: got %v, want an error that names FAIRLEAD_SIDECAR", url, err)
		}
	}
}

// The client repeats only what never reached the sidecar, whatever the method.
func TestWhatIsRepeatedBeforeASidecar(t *testing.T) {
	for name, tc := range map[string]struct {
		act  func(*net.TCPConn, *http.Request)
		want int64
	}{
		"resets":      {func(c *net.TCPConn, _ *http.Request) { reset(c) }, 1},
		"answers 503": {status("503 Busy\r\nRetry-After: 0"), 1},
		"answers 502": {status("502 Bad"), 1},
	} {
		for _, method := range allMethods {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				base, seen := serveRaw(t, tc.act)
				if resp, err := bySidecar(t, base).Do(newRequest(t, method, "service://identity/", bodyOf(method))); err == nil {
					resp.Body.Close()
				}
				if seen.Load() != tc.want {
					t.Errorf("the sidecar saw %d, want %d", seen.Load(), tc.want)
				}
			})
		}
	}
	t.Run("away", func(t *testing.T) {
		_, err := bySidecar(t, refusing(t)).Post("service://identity/", "", strings.NewReader(bodyText))
		var e *smartclient.Error
		if !errors.As(err, &e) || len(e.Attempts) != 3 || e.Processed {
			t.Errorf("got %v, want three attempts and nothing processed", err)
		}
	})
}

// What a sidecar says of its own is an error, the same as without one.
func TestSidecarsOwnErrors(t *testing.T) {
	for code, tc := range map[string]struct {
		status    int
		processed string
		is        error
	}{
		"no-such-service":     {503, "no", registry.ErrNoSuchService},
		"none-enabled":        {503, "no", registry.ErrNoneEnabled},
		"registry-never-seen": {503, "no", registry.ErrNeverSeen},
		"route-refused":       {403, "no", smartclient.ErrRouteRefused},
		"no-such-instance":    {503, "no", smartclient.ErrNoSuchInstance},
		"unreachable":         {503, "no", nil},
		"no-answer":           {502, "maybe", nil},
		"timeout":             {504, "", nil},
	} {
		t.Run(code, func(t *testing.T) {
			base, seen := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Fairlead-Error", code)
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(tc.status)
				fmt.Fprintf(w, `{"detail":"because","processed":%q}`, tc.processed)
			})
			_, err := bySidecar(t, base).Get("service://identity/")
			var e *smartclient.Error
			var own *smartclient.SidecarError
			if !errors.As(err, &e) || e.Processed != (tc.processed != "no") || !errors.As(err, &own) || own.Code != code || own.Detail != "because" {
				t.Errorf("got %v", err)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v is not %v", err, tc.is)
			}
			if e.Timeout() != (code == "timeout") || seen.Load() != 1 {
				t.Errorf("timeout %v, seen %d", e.Timeout(), seen.Load())
			}
		})
	}
}

// A sidecar adds a port to the Host, so services build links with it.
func TestRedirectsByASidecar(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/start" {
			http.Redirect(w, r, "http://identity:80/end", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Header.Get("Fairlead-Service")+r.URL.Path)
	})
	resp, err := bySidecar(t, base).Get("service://identity/start")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "identity/end" {
		t.Errorf("got %q", got)
	}
}

// Routes are the sidecar's to follow.
func TestRoutesGoToTheSidecar(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get(smartclient.RouteHeader))
	})
	req := getting(t, "/")
	req = req.WithContext(smartclient.WithRoutes(req.Context(), smartclient.Routes{"identity": "alice-1"}))
	resp, err := bySidecar(t, base).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "identity=alice-1" {
		t.Errorf("got %q", got)
	}
}

// With a sidecar a client needs nothing else.
func ExampleOptions_sidecar() {
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Method, r.Header.Get("Fairlead-Service"), r.URL.Path)
	}))
	defer sidecar.Close()
	client := smartclient.New(smartclient.Options{Sidecar: sidecar.URL}) // or FAIRLEAD_SIDECAR
	defer client.CloseIdleConnections()

	show(client.Get("service://identity/users/1"))
	// Output: GET identity /users/1
}
