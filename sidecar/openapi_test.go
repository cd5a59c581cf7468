package sidecar

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/schemas/openapitest"
)

func TestDocumentHangsTogether(t *testing.T) { openapitest.Load(t, openAPI).CheckItself(t) }

// The document has every page, and /attended, which a roster answers.
func TestDocumentHasEveryPage(t *testing.T) {
	served := []string{"/attended get"}
	for pattern := range New(&fakePlane{}, newWatcher(registry.NewTable("local", "")), Options{}).pages(http.NotFoundHandler()) {
		method, path, _ := strings.Cut(pattern, " ")
		served = append(served, path+" "+strings.ToLower(method))
	}
	slices.Sort(served)
	if described := openapitest.Load(t, openAPI).Operations(); !slices.Equal(served, described) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(served, "\n"), strings.Join(described, "\n"))
	}
}

// A talker is a plane that leaves nothing out.
type talker struct{ settingAside }

func (*talker) Describe() PlaneStatus {
	return PlaneStatus{
		Kind: "fake", Starts: 1, Reloads: 2, Last: time.Now(), Why: "a new service", Repairs: 3, Problem: "out of reach", Warning: "reload it",
	}
}

func TestPagesAreAsDescribed(t *testing.T) {
	document := openapitest.Load(t, openAPI)
	for name, s := range map[string]*Sidecar{"of little": ofLittle(), "of all": ofAll()} {
		mux := http.NewServeMux()
		s.Mount(mux, nil)
		for _, path := range []string{
			"/health", "/status", "/openapi.json",
			"/v1/realms/local/services/identity/explain", "/v1/realms/local/services/nobody/explain",
			"/v1/realms/other/services/identity/explain", "/v1/realms/local/services/a.b/explain",
		} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			t.Run(name+path, func(t *testing.T) {
				document.Check(t, openapitest.Exchange{Method: "GET", Path: path, Status: w.Code, Header: w.Header(), Answer: w.Body.Bytes()})
			})
		}
	}
	for _, value := range []any{ofAll().Status(), ofAll().Status().Plane} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			if reflect.ValueOf(value).FieldByIndex(field.Index).IsZero() {
				t.Errorf("%s of %T was left out of the test", field.Name, value)
			}
		}
	}
}

func ofLittle() *Sidecar {
	return New(&fakePlane{}, newWatcher(registry.NewTable("local", "")), Options{})
}

// ofAll is a sidecar in such trouble that every field of its status is there.
func ofAll() *Sidecar {
	table := registry.NewTable("local", "e").WithService("identity", 1, []registry.Instance{
		{Service: "identity", ID: "a", Scheme: "http", Host: "127.0.0.1", Port: 1, Status: registry.Passing, Enabled: true},
		{Service: "identity", ID: "b", Scheme: "http", Host: "127.0.0.1", Port: 2, Status: registry.Passing, Owner: "jane", Reason: "bad disk", Until: time.Now()},
	}).From(registry.Live, time.Now().Add(-time.Second))
	table = table.WithMeta("identity", registry.Meta{Rules: []registry.Rule{{PathPrefix: "/search", Split: []registry.Share{{Service: "finder", Weight: 1}}}}}, 2)
	s := New(&talker{}, newWatcher(table), Options{Version: "1.2.3"})
	s.record(table, nil)
	s.record(table, errors.New("no such thing"))
	s.applying = time.Now().Add(-time.Minute)
	return s
}
