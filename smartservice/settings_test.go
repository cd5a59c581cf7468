package smartservice

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

var identityKey = registry.ServiceKey{Realm: "local", Service: "identity"}

func (r *testRealm) set(t *testing.T, name, value string) {
	t.Helper()
	if _, err := r.Configure(t.Context(), identityKey, name, &value); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Settings().Loaded(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestPrecedenceOfSettings(t *testing.T) {
	const name = "GREETING"
	tests := []struct {
		flag, env, registry string
		want                string
		from                Origin
	}{
		{want: "default"},
		{registry: "registry", want: "registry", from: FromRegistry},
		{env: "environment", registry: "registry", want: "environment", from: FromEnvironment},
		{flag: "flag", env: "environment", registry: "registry", want: "flag", from: FromFlag},
		{flag: "flag", want: "flag", from: FromFlag},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			realm := newRealm(t)
			realm.vars[name] = tt.env
			if tt.registry != "" {
				realm.set(t, name, tt.registry)
			}
			a := realm.app(t, "identity", Options{})
			if tt.flag != "" {
				if err := a.parse([]string{"-set", name + "=" + tt.flag}); err != nil {
					t.Fatal(err)
				}
			}
			start(t, a)
			loaded(t, a)
			if got := a.Settings().String(name, "default"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, from, ok := a.Settings().Lookup(name); from != tt.from || ok != (tt.from != "") {
				t.Errorf("from %q, %t, want %q", from, ok, tt.from)
			}
		})
	}
}

func TestTypesOfSettings(t *testing.T) {
	vars := map[string]string{"INT": "7", "FLOAT": "0.5", "BOOL": "true", "DURATION": "1m30s", "WORD": "many"}
	logs := &entries{}
	realm := newRealm(t)
	realm.vars, realm.logs = vars, logs
	a := realm.app(t, "identity", Options{})
	start(t, a)
	s := a.Settings()
	got := []any{s.Int("INT", 1), s.Float("FLOAT", 1), s.Bool("BOOL", false), s.Duration("DURATION", 1)}
	if want := []any{7, 0.5, true, 90 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range 3 {
		got = []any{s.Int("WORD", 1), s.Float("NONE", 2), s.Bool("NONE", true), s.Duration("NONE", 3)}
	}
	if want := []any{1, 2.0, true, time.Duration(3)}; !slices.Equal(got, want) {
		t.Errorf("defaults are %v, want %v", got, want)
	}
	if lines := logs.lines(t, "setting does not count"); len(lines) != 1 {
		t.Errorf("logged %d times", len(lines))
	}
}

// A value of the registry's that makes no sense gives way to the default, and
// one in the environment to the registry's.
func TestWhatDoesNotParseDoesNotCount(t *testing.T) {
	realm := newRealm(t)
	realm.vars["LIMIT"] = "few"
	realm.set(t, "LIMIT", "5")
	realm.set(t, "SIZE", "big")
	a := realm.app(t, "identity", Options{})
	start(t, a)
	loaded(t, a)
	if limit, size := a.Settings().Int("LIMIT", 1), a.Settings().Int("SIZE", 2); limit != 5 || size != 2 {
		t.Errorf("limit %d, size %d", limit, size)
	}
}

func TestSettingsAreLive(t *testing.T) {
	realm := newRealm(t)
	realm.vars["FIXED"] = "here"
	realm.GoAway()
	a := realm.app(t, "identity", Options{})
	changes := make(chan []string, 16)
	remove := a.Settings().OnChange(func(names []string) { changes <- names })
	start(t, a)
	if got := get(t, a.URL()+"/health/ready"); got.status != http.StatusOK || a.Settings().Int("LIMIT", 1) != 1 {
		t.Errorf("alone it answers %+v", got)
	}
	realm.ComeBack()
	loaded(t, a)
	realm.set(t, "FIXED", "there")
	realm.set(t, "LIMIT", "5")
	if got := <-changes; !slices.Equal(got, []string{"LIMIT"}) || a.Settings().Int("LIMIT", 1) != 5 {
		t.Errorf("after the change of %q the limit is %d", got, a.Settings().Int("LIMIT", 1))
	}
	if fixed := a.Settings().String("FIXED", ""); fixed != "here" {
		t.Errorf("what the environment says became %q", fixed)
	}
	realm.GoAway()
	if got := a.Settings().Int("LIMIT", 1); got != 5 {
		t.Errorf("without the registry the limit is %d", got)
	}
	realm.ComeBack()
	remove()
	done := make(chan struct{})
	a.Settings().OnChange(func([]string) { close(done) })
	realm.set(t, "LIMIT", "6")
	<-done
	if len(changes) > 0 {
		t.Errorf("heard after it was removed: %q", <-changes)
	}
	if err := a.Stop(t.Context()); err != nil || a.Settings().Int("LIMIT", 1) != 6 {
		t.Errorf("stopped: %v, limit %d", err, a.Settings().Int("LIMIT", 1))
	}
}

func TestSettingsBeforeTheStart(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Settings().Loaded(ctx); !errors.Is(err, context.Canceled) || a.Settings().String("GREETING", "hello") != "hello" {
		t.Errorf("got %v", err)
	}
}

func TestBadSetFlags(t *testing.T) {
	tests := map[string]string{
		"GREETING":         "must be NAME=VALUE",
		"greeting=hello":   "must be of A-Z",
		"FAIRLEAD_REALM=x": "must not begin with FAIRLEAD_",
	}
	for argument, want := range tests {
		a := newRealm(t).app(t, "identity", Options{})
		if err := a.parse([]string{"-set", argument}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "-set") {
			t.Errorf("-set %s: %v", argument, err)
		}
	}
}
