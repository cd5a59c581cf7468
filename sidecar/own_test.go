package sidecar

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// A settingAside is a plane that has set an instance aside.
type settingAside struct{ fakePlane }

func (*settingAside) Explain(string) map[string]registry.Local {
	return map[string]registry.Local{"a": {Ejected: true, Failures: 5}, "b": {}}
}

func TestASidecarExplainsItsOwnView(t *testing.T) {
	table := registry.NewTable("local", "e").WithService("identity", 1, []registry.Instance{
		{Service: "identity", ID: "a", Status: registry.Passing, Enabled: true},
		{Service: "identity", ID: "b", Status: registry.Passing, Enabled: true},
	})
	mux := http.NewServeMux()
	New(&settingAside{}, newWatcher(table), Options{}).Mount(mux, nil)
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	var x registry.Explanation
	if err := json.Unmarshal(ask("/v1/realms/local/services/identity/explain").Body.Bytes(), &x); err != nil {
		t.Fatal(err)
	}
	if x.In != 1 || x.Facts || x.Instances[0].Standing != registry.Aside || !x.Instances[1].In {
		t.Errorf("explained as %+v", x)
	}
	for path, want := range map[string]int{
		"/v1/realms/other/services/identity/explain": 404, "/v1/realms/local/services/a.b/explain": 400,
		"/v1/realms/local/services/nobody/explain": 200,
	} {
		if w := ask(path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// A learner follows services from their first use.
type learner struct{ *fakeWatcher }

func (l learner) Resolve(context.Context, string) (*registry.Service, error) {
	l.set(tableAt(3).WithService("identity", 3, []registry.Instance{{Service: "identity", ID: "a", Status: registry.Passing, Enabled: true}}))
	return nil, nil
}

func TestASidecarExplainsWhatItHasNotUsedYet(t *testing.T) {
	s := New(&fakePlane{}, learner{newWatcher(registry.NewTable("local", ""))}, Options{})
	if x := s.Explain(t.Context(), "identity"); x.In != 1 {
		t.Errorf("explained as %+v", x)
	}
}

// A fakeDescriber is a plane that tells of itself.
type fakeDescriber struct{ fakePlane }

func (*fakeDescriber) Describe() PlaneStatus {
	return PlaneStatus{Kind: "fake", Reloads: 3, Why: "a new service"}
}

func TestTheStatusSaysWhyAPlaneIsNotWell(t *testing.T) {
	applied := Status{AppliedAt: time.Now()}
	tests := []struct {
		name   string
		change func(*Status)
		want   string
	}{
		{"well", func(*Status) {}, ""},
		{"nothing applied yet", func(s *Status) { s.AppliedAt = time.Time{} }, "the data plane does not carry the table yet"},
		{"refused", func(s *Status) { s.Failures, s.LastError = 2, "no such thing" }, "2 times in a row: no such thing"},
		{"at work", func(s *Status) { s.ApplyingMS = 1000 }, ""},
		{"at work for too long", func(s *Status) { s.ApplyingMS = 9000 }, "has been working on the table for 9s"},
		{"out of reach", func(s *Status) { s.Plane.Problem = "nobody answers" }, "nobody answers"},
		{"in want of a reload", func(s *Status) { s.Plane.Warning = "reload it" }, ""},
		{"down", func(s *Status) { s.Ended = true }, "the data plane does not run"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := applied
			tt.change(&s)
			got := strings.Join(s.problems(), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || s.Carrying() != (got == "") {
				t.Errorf("problems are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheHealthOfARunningPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(tableAt(1)), &fakeDescriber{}
		s := New(p, w, Options{Logger: slog.New(slog.DiscardHandler), Version: "1.2.3"})
		mux := http.NewServeMux()
		s.Mount(mux, nil)
		health := func(want int) {
			t.Helper()
			synctest.Wait()
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/health", nil))
			if rec.Code != want {
				t.Errorf("health is %d %s, want %d", rec.Code, rec.Body, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		health(http.StatusOK)
		if status := s.Status(); status.Plane.Reloads != 3 || status.PID == 0 || status.Version != "1.2.3" {
			t.Errorf("status is %+v", status)
		}
		p.set(8*time.Second, nil)
		w.set(tableAt(2))
		pause(ctx, 6*time.Second)
		health(http.StatusServiceUnavailable)
		pause(ctx, 3*time.Second)
		health(http.StatusOK)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		health(http.StatusServiceUnavailable)
	})
}
