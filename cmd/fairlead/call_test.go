package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead.dev/smartclient"
)

func TestCall(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/old":
			http.Redirect(w, req, "/new", http.StatusFound)
		case "/broken":
			http.Error(w, "no database", http.StatusInternalServerError)
		default:
			body, _ := io.ReadAll(req.Body)
			w.Header().Set("Served-By", "test")
			_, _ = io.WriteString(w, strings.Join([]string{req.Method, req.URL.RequestURI(), req.Host,
				req.Header.Get("Colour"), req.Header.Get("Content-Type"), string(body)}, "|"))
		}
	}))
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, input string
		args        []string
		code        int
		out, err    string
	}{
		{"get", "", []string{"GET", "service://identity/users/1?a=b"}, exitOK, "GET|/users/1?a=b|identity||||", ""},
		{"method in small letters", "", []string{"delete", "service://identity/users/1"}, exitOK, "DELETE|/users/1|identity|||", ""},
		{"header", "", []string{"GET", "service://identity/", "-H", "Colour: dark blue", "-H", "Host: example.com"}, exitOK, "GET|/|example.com|dark blue||", ""},
		{"JSON", "", []string{"PUT", "service://identity/", "-d", `{"a":1}`}, exitOK, `PUT|/|identity||application/json|{"a":1}`, ""},
		{"text", "", []string{"POST", "service://identity/", "-d", "hello"}, exitOK, "POST|/|identity||text/plain; charset=utf-8|hello", ""},
		{"body from a file", "", []string{"PUT", "service://identity/", "-d", "@" + file, "-H", "content-type: x/y"}, exitOK, "PUT|/|identity||x/y|from a file", ""},
		{"body from standard input", "piped", []string{"PUT", "service://identity/", "-d", "@-"}, exitOK, "PUT|/|identity||text/plain; charset=utf-8|piped", ""},
		{"a redirect is shown", "", []string{"GET", "service://identity/old", "-i"}, exitOK, "HTTP/1.1 302 Found\n", ""},
		{"headers", "", []string{"GET", "service://identity/", "--include"}, exitOK, "Served-By: test\n", ""},
		{"failure", "", []string{"POST", "service://identity/broken"}, exitFailed, "no database\n", "fairlead: POST service://identity/broken: status 500 Internal Server Error\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := fairlead(t, r.NATS, tt.input, append([]string{"call"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.out+"|", tt.out) || got.err != tt.err {
				t.Errorf("got %+v", got)
			}
		})
	}
	r.succeed(t, "disable", "identity", "a")
	got := r.fairlead(t, "call", "GET", "service://identity/")
	if got.code != exitNotFound || !strings.Contains(got.err, "no instance is enabled") {
		t.Errorf("once disabled it gave %+v", got)
	}
}

// The three ways to call by name lead to the same place.
func TestRulesAreFollowedByAllProxies(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, "finder has "+req.URL.Path)
	}))
	defer server.Close()
	r.register(t, "finder", "a", server.URL)
	r.succeed(t, "service", "set", "identity", "--rules", `[{"path_prefix":"/search","split":[{"service":"finder","weight":1}]}]`)
	const want = "finder has /search/x"
	if got := r.succeed(t, "call", "GET", "service://identity/search/x"); got != want {
		t.Errorf("call got %q", got)
	}
	r.awaitBody(t, r.HTTP+"/call/identity/search/x", "", want)
	r.awaitBody(t, r.Sidecar+"/search/x", "identity", want)
	t.Setenv(smartclient.EnvSidecar, r.Sidecar)
	if got := r.succeed(t, "call", "GET", "service://identity/search/x"); got != want {
		t.Errorf("by the sidecar call got %q", got)
	}
	if got := r.fairlead(t, "call", "GET", "service://identity/search/x", "--no-rules"); got.code != exitUsage || !strings.HasPrefix(got.err, "fairlead: --no-rules: must not be given with FAIRLEAD_SIDECAR set") {
		t.Errorf("without the sidecar's rules it gave %+v", got)
	}
}

// awaitBody asks until the answer is what is wanted: tables hear of a change in
// their own time.
func (r *realm) awaitBody(t *testing.T, url, service, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if service != "" {
			req.Header.Set("Fairlead-Service", service)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) == want {
			return
		}
	}
}

// With --verbose a call tells where it went.
func TestCallTellsOfAttempts(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	want := "attempt 1 at identity/a (" + address(server.URL) + "): status 418 after "
	if got := r.fairlead(t, "call", "GET", "service://identity/", "--verbose"); got.code != exitFailed || !strings.Contains(got.err, want) {
		t.Errorf("got %+v, want %q", got, want)
	}
	if got := r.fairlead(t, "call", "GET", "service://identity/"); strings.Contains(got.err, "attempt") {
		t.Errorf("without it, it tells %q", got.err)
	}
}
