package smartservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead.dev/internal/logtest"
	"fairlead.dev/smartclient"
)

// entries are lines of JSON.
type entries struct{ logtest.Text }

func (b *entries) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(b.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in log line %q", err, line)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

func TestPanicBecomesProblem(t *testing.T) {
	realm, logs := newRealm(t), &entries{}
	realm.logs = logs
	a := realm.app(t, "identity", Options{})
	a.HandleFunc("GET /boom", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.Header().Set("Content-Type", "text/html")
		panic("secret detail")
	})
	start(t, a)
	got := get(t, a.URL()+"/boom", HeaderRequestID, "r-1")
	if got.status != 500 || got.header.Get("Content-Type") != "application/problem+json" || got.header.Get(HeaderRequestID) != "r-1" {
		t.Errorf("got %+v", got)
	}
	var p Problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || p.Status != 500 || p.Title != "Internal Server Error" {
		t.Errorf("got problem %+v, %v", p, err)
	}
	if strings.Contains(got.body, "secret") || strings.Contains(got.body, "goroutine") {
		t.Errorf("the answer tells the user %s", got.body)
	}
	entries := logs.lines(t, "handler panicked")
	if len(entries) != 1 || entries[0]["panic"] != "secret detail" || entries[0]["request_id"] != "r-1" ||
		!strings.Contains(fmt.Sprint(entries[0]["stack"]), "TestPanicBecomesProblem") {
		t.Errorf("logged %v", entries)
	}
}

// The context of a request ends when its caller no longer waits.
func TestCallersTimeout(t *testing.T) {
	realm := newRealm(t)
	a := realm.app(t, "identity", Options{})
	a.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		WriteJSON(w, 200, map[string]any{"bound": ok, "near": time.Until(deadline) <= time.Minute})
	})
	a.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		WriteProblem(w, 503, context.Cause(r.Context()).Error())
	})
	a.HandleFunc("GET /give-up", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a.HandleFunc("GET /hurry", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		<-r.Context().Done()
	})
	start(t, a)
	for _, tc := range []struct {
		path, timeout string
		status        int
		want          string
	}{
		{"/", "", 200, `"bound":false`},
		{"/", "soon", 200, `"bound":false`},
		{"/", "60000", 200, `"bound":true,"near":true`},
		{"/wait", "1", 503, "context deadline exceeded"},
		{"/give-up", "1", 504, "was over before the request was answered"},
		{"/hurry", "1", 204, ""},
		{"/", "0", 504, "was not processed"},
	} {
		got := get(t, a.URL()+tc.path, smartclient.HeaderTimeout, tc.timeout)
		if got.status != tc.status || !strings.Contains(got.body, tc.want) {
			t.Errorf("%s within %q: got %d %s", tc.path, tc.timeout, got.status, got.body)
		}
	}
}

// A body that ends early must not look complete.
func TestPanicAfterTheHeaderCutsTheAnswer(t *testing.T) {
	for name, write := range map[string]func(http.ResponseWriter){
		"written":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half"); w.(http.Flusher).Flush() },
		"flushed":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"streamed": func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("half")); w.(http.Flusher).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			a := newRealm(t).app(t, "identity", Options{})
			a.HandleFunc("GET /boom", func(w http.ResponseWriter, r *http.Request) {
				write(w)
				panic("too late")
			})
			start(t, a)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/boom", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := send(plainClient(t), req); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %+v, %v, want an unexpected EOF", got, err)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	a.HandleFunc("GET /id", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, RequestID(r.Context())) })
	start(t, a)
	tests := []struct {
		name, asked string
		kept        bool
	}{
		{"accepted", "0d9f-42", true},
		{"made", "", false},
		{"too long", strings.Repeat("x", 129), false},
		{"not fit for a log", "a b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := get(t, a.URL()+"/id", HeaderRequestID, tt.asked)
			if echoed := got.header.Get(HeaderRequestID); echoed == "" || echoed != got.body || (echoed == tt.asked) != tt.kept {
				t.Errorf("asked with %q, handler saw %q, answer says %q", tt.asked, got.body, echoed)
			}
		})
	}
}

func TestAccessLogNamesTheRequest(t *testing.T) {
	realm, logs := newRealm(t), &entries{}
	realm.logs = logs
	a := realm.app(t, "identity", Options{Instance: "i-1"})
	a.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	})
	start(t, a)
	get(t, a.URL()+"/users/7", HeaderRequestID, "r-7", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	get(t, a.URL()+"/health/live")
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries := logs.lines(t, "request")
	if len(entries) != 1 {
		t.Fatalf("logged %v, want one request and no probe", entries)
	}
	for field, want := range map[string]any{
		"service": "identity", "instance": "i-1", "realm": "local", "request_id": "r-7",
		"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "method": "GET", "path": "/users/7",
		"route": "GET /users/{id}", "status": 418.0, "bytes": 15.0, "level": "DEBUG",
	} {
		if entries[0][field] != want {
			t.Errorf("%s is %v, want %v", field, entries[0][field], want)
		}
	}
}

func TestExchangeKeepsOptionalInterfaces(t *testing.T) {
	handler := requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); !ok {
			t.Error("no Flusher")
		}
		if _, ok := w.(http.Hijacker); !ok {
			t.Error("no Hijacker")
		}
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("no ReaderFrom")
		}
	}), discard())
	server := httptest.NewServer(handler)
	defer server.Close()
	get(t, server.URL)
}

// Routes that a request came with go on with those that are made for it.
func TestRoutesAreCarriedOn(t *testing.T) {
	realm := newRealm(t)
	back := realm.app(t, "identity", Options{})
	back.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get(smartclient.RouteHeader))
	})
	front := realm.app(t, "front", Options{})
	front.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), "GET", "service://identity/", nil)
		resp, err := front.Client().Do(req)
		if err != nil {
			WriteProblem(w, http.StatusBadGateway, err.Error())
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	})
	start(t, back)
	start(t, front)
	registered(t, back)
	if got := get(t, front.URL(), smartclient.RouteHeader, "billing=bob-1"); got.body != "billing=bob-1" {
		t.Errorf("got %+v", got)
	}
	if got := get(t, front.URL(), smartclient.RouteHeader, "identity=bob-1"); !strings.Contains(got.body, "not permitted") {
		t.Errorf("got %+v, want the refusal of the other service", got)
	}
	if got := get(t, front.URL(), smartclient.RouteHeader, "rubbish"); got.status != 400 || !strings.Contains(got.body, "Fairlead-Route: must be service=instance") {
		t.Errorf("got %+v", got)
	}
}

// With a sidecar in the environment the service's calls go by it.
func TestClientUsesTheSidecar(t *testing.T) {
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Fairlead-Service"))
	}))
	t.Cleanup(sidecar.Close)
	realm := newRealm(t)
	realm.vars[smartclient.EnvSidecar] = sidecar.URL
	client := realm.app(t, "front", Options{}).Client()
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "identity" {
		t.Errorf("got %q", text)
	}
}

// The author's options of the client count beside what the service knows.
func TestClientHasTheAuthorsOptions(t *testing.T) {
	realm := newRealm(t)
	back := realm.app(t, "identity", Options{})
	back.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		WriteProblem(w, http.StatusServiceUnavailable, "not now")
	})
	seen := make(chan smartclient.Observation, 10)
	observer := smartclient.NewObserver(func(o smartclient.Observation) { seen <- o }, 0)
	front := realm.app(t, "front", Options{Client: smartclient.Options{
		Realm: "elsewhere", Sidecar: "", MaxAttempts: 1, Observer: observer,
	}})
	start(t, back)
	start(t, front)
	registered(t, back)
	client := front.Client()
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := observer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d attempts, status %d", len(seen), resp.StatusCode)
	}
	if o := <-seen; o.Realm != "local" || o.Service != "identity" {
		t.Errorf("observed %+v", o)
	}
	if text := get(t, front.URL()+"/metrics").body; !strings.Contains(text, "fairlead_client_picks_total") {
		t.Errorf("the client's metrics are not the service's: %s", text)
	}
}
