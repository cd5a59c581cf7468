package smartservice

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

var errDown = errors.New("connection refused")

func TestJudge(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := now.Add(-time.Second)
	stuck := now.Add(-checkTimeout - 3*time.Second)
	tests := []struct {
		name     string
		result   result
		severity Outcome
		want     Outcome
		output   string
	}{
		{"not run yet", result{}, Fail, Fail, "has not run yet"},
		{"first run under way", result{began: before}, Fail, Fail, "has not run yet"},
		{"passed", result{finished: before}, Fail, Pass, ""},
		{"failed", result{finished: before, err: errDown}, Fail, Fail, "connection refused"},
		{"failed, warning only", result{finished: before, err: errDown}, Warn, Warn, "connection refused"},
		{"passed, next run under way", result{began: before, finished: before}, Fail, Pass, ""},
		{"stuck after it passed", result{began: stuck, finished: before}, Fail, Fail, "no answer for 5s"},
		{"stuck, warning only", result{began: stuck, finished: before}, Warn, Warn, "no answer for 5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.result.judge(tt.severity, now)
			if got.outcome != tt.want || got.output != tt.output {
				t.Errorf("got %s %q, want %s %q", got.outcome, got.output, tt.want, tt.output)
			}
		})
	}
}

func TestHealthStatus(t *testing.T) {
	passing, failing := func(context.Context) error { return nil }, func(context.Context) error { return errDown }
	tests := []struct {
		name     string
		checks   []*check
		draining bool
		status   registry.Status
		ready    Outcome
	}{
		{"no checks", nil, false, registry.Passing, Pass},
		{"all pass", []*check{newCheck("a", passing, nil), newCheck("b", passing, nil)}, false, registry.Passing, Pass},
		{"one warns", []*check{newCheck("a", passing, nil), newCheck("b", failing, []CheckOption{WarnOnly()})}, false, registry.Warning, Warn},
		{"one fails", []*check{newCheck("a", failing, nil), newCheck("b", failing, []CheckOption{WarnOnly()})}, false, registry.Critical, Fail},
		{"draining", []*check{newCheck("a", passing, nil)}, true, registry.Draining, Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			draining := make(chan struct{})
			if tt.draining {
				close(draining)
			}
			h := &health{checks: tt.checks, draining: draining}
			h.start(func() {})
			defer func() { _ = h.stop(t.Context()) }()
			if h.status() != tt.status || h.ready() != tt.ready {
				t.Errorf("got %s and %s, want %s and %s", h.status(), h.ready(), tt.status, tt.ready)
			}
		})
	}
}

func TestCheckChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []error{nil, nil, errDown, errDown, nil}
		runs := 0
		c := newCheck("db", func(context.Context) error {
			runs++
			return results[min(runs, len(results))-1]
		}, nil)
		h := &health{checks: []*check{c}, draining: make(chan struct{})}
		told := 0
		h.start(func() { told++ })
		time.Sleep(time.Duration(len(results)) * defaultCheckEvery) // virtual
		if err := h.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told != 2 {
			t.Errorf("told %d times in %d runs, want 2: down and up", told, runs)
		}
	})
}

func TestStuckCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := &health{
			checks:   []*check{newCheck("db", func(context.Context) error { <-release; return nil }, nil)},
			draining: make(chan struct{}),
		}
		began := time.Now()
		h.start(func() {})
		if took := time.Since(began); took != checkTimeout {
			t.Errorf("the start waited %s for a stuck check, want %s", took, checkTimeout)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopping with a stuck check gave %v, want a deadline", err)
		}
		close(release)
		h.running.Wait()
	})
}

func TestPanickingCheckFails(t *testing.T) {
	c := newCheck("db", func(context.Context) error { panic("nil map") }, nil)
	if err := c.call(t.Context()); err == nil || err.Error() != "panic: nil map" {
		t.Errorf("got %v", err)
	}
}

func TestHealthPaths(t *testing.T) {
	realm := newRealm(t)
	failing := func(context.Context) error { return errDown }
	tests := []struct {
		name    string
		prepare func(*App)
		path    string
		status  int
		want    Outcome
		check   string
	}{
		{"live", func(*App) {}, "/health/live", 200, Pass, ""},
		{"ready", func(*App) {}, "/health/ready", 200, Pass, ""},
		{"all", func(a *App) { a.Check("db", failing, WarnOnly()) }, "/health", 200, Warn, "connection refused"},
		{"a failing service lives", func(a *App) { a.Check("db", failing) }, "/health/live", 200, Pass, ""},
		{"a failing service is not ready", func(a *App) { a.Check("db", failing) }, "/health/ready", 503, Fail, ""},
		{"all of a failing service", func(a *App) { a.Check("db", failing) }, "/health", 503, Fail, "connection refused"},
		{"with a warning it is ready", func(a *App) { a.Check("db", failing, WarnOnly()) }, "/health/ready", 200, Warn, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := realm.app(t, "identity", Options{Version: "1.4.2"})
			tt.prepare(a)
			start(t, a)
			got := get(t, a.URL()+tt.path)
			doc := decodeHealth(t, got)
			if got.status != tt.status || doc.Status != tt.want {
				t.Errorf("got %d %s, want %d %s", got.status, doc.Status, tt.status, tt.want)
			}
			if entries := doc.Checks["db:responseTime"]; tt.check != "" && (len(entries) != 1 || entries[0].Output != tt.check) {
				t.Errorf("checks are %v", doc.Checks)
			}
			if doc.Version != "1.4.2" || doc.ServiceID != a.Key().String() {
				t.Errorf("got version %q of %q", doc.Version, doc.ServiceID)
			}
		})
	}
}

func decodeHealth(t *testing.T, got answer) document {
	t.Helper()
	if media := got.header.Get("Content-Type"); media != "application/health+json" {
		t.Errorf("media type is %q", media)
	}
	var doc document
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	return doc
}

// The registry decides by these headers whether an instance is the one that
// registered, so they must be on every health answer and name this life.
func TestIdentityHeaders(t *testing.T) {
	realm := newRealm(t)
	a := realm.app(t, "identity", Options{})
	a.Check("db", func(context.Context) error { return errDown })
	start(t, a)
	registered(t, a)
	in, _ := realm.Table("local").Service("identity").Instance(a.Key().Instance)
	for _, path := range []string{"/health", "/health/live", "/health/ready"} {
		got := get(t, a.URL()+path).header
		if got.Get(HeaderInstance) != "local/identity/"+in.ID || got.Get(HeaderIncarnation) != in.Incarnation || in.Incarnation == "" {
			t.Errorf("%s answers as %q %q, registered is %+v", path, got.Get(HeaderInstance), got.Get(HeaderIncarnation), in)
		}
	}
	if in.Health != "/health/ready" || !strings.HasPrefix(in.ID, "host-1-") {
		t.Errorf("registered as %+v", in)
	}
}

func TestHealthRefusesOtherMethods(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	start(t, a)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := send(plainClient(t), req)
	if err != nil || got.status != http.StatusMethodNotAllowed {
		t.Errorf("got %d, %v", got.status, err)
	}
}
