package identity

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fairlead.dev/smartservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a copy of the service that no bus hears of.
func start(t *testing.T) *service {
	t.Helper()
	s := newService(smartservice.Options{
		NATSURL: "nats://127.0.0.1:1", Addr: "127.0.0.1:0", Instance: "identity-1", DrainDelay: -1,
	})
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.app.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func call(t *testing.T, s *service, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.app.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func TestUsers(t *testing.T) {
	s := start(t)
	steps := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/users/1", "", 200, `{"id":"1","name":"User 1"}`},
		{"GET", "/users/1001", "", 404, `there is no user \"1001\"`},
		{"PUT", "/users/1001", `{"name":"Grace"}`, 201, `{"id":"1001","name":"Grace"}`},
		{"PUT", "/users/1001", `{"name":"Grace"}`, 200, `{"id":"1001","name":"Grace"}`},
		{"GET", "/users/1001", "", 200, `{"id":"1001","name":"Grace"}`},
		{"DELETE", "/users/1001", "", 204, ``},
		{"DELETE", "/users/1001", "", 204, ``},
		{"PUT", "/users/1", `{"name":""}`, 400, `name: must not be empty`},
		{"PUT", "/users/1", `{"nmae":"x"}`, 400, `unknown field \"nmae\"`},
		{"PUT", "/users/1", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, `too large`},
		{"GET", "/users/1", "", 200, `{"id":"1","name":"User 1"}`},
		{"PATCH", "/users/1", "", 405, `Method Not Allowed`},
		{"GET", "/count", "", 200, `"by_method":{"DELETE":2,"GET":4,"PUT":5}`},
		{"GET", "/count", "", 200, `"served":11`},
	}
	for _, step := range steps {
		status, got := call(t, s, step.method, step.path, step.body)
		if status != step.status || !strings.Contains(got, step.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", step.method, step.path, status, got, step.status, step.want)
		}
	}
}

func TestCallerThatNamesItsRequestIsToldWhoServedIt(t *testing.T) {
	s := start(t)
	for served := 1; served <= 2; served++ {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.app.URL()+"/users/7", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(smartservice.HeaderRequestID, "r-1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got answer
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		want := answer{User{"7", "User 7"}, "r-1", "identity-1", s.app.Incarnation(), served}
		if got != want || got.Incarnation == "" {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// A stream tells changes, and ends by itself when the service drains.
func TestEvents(t *testing.T) {
	s := start(t)
	resp, err := http.Get(s.app.URL() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return "the end"
	}
	if got := next(); got != ": changes of users" {
		t.Fatalf("the stream begins with %q", got)
	}
	call(t, s, "PUT", "/users/5", `{"name":"Ada"}`)
	call(t, s, "DELETE", "/users/5", "")
	for _, want := range []string{"event: put", `data: {"id":"5","name":"Ada"}`, "event: deleted", `data: {"id":"5","name":"Ada"}`} {
		if got := next(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.app.Stop(context.Background()) }()
	if got := next(); got != "the end" || lines.Err() != nil {
		t.Errorf("a draining service sends %q, %v", got, lines.Err())
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
