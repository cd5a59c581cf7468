package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/roster"
)

func address(url string) string { return strings.TrimPrefix(url, "http://") }

func (r *realm) doctor(t *testing.T, args ...string) (report, result) {
	t.Helper()
	got := r.fairlead(t, append([]string{"doctor", "-o", "json",
		"--http-addr", address(r.HTTP), "--sidecar-addr", address(r.Sidecar)}, args...)...)
	return decode[report](t, got.out), got
}

func (r report) of(check string) diagnosis {
	i := slices.IndexFunc(r.Checks, func(d diagnosis) bool { return d.Check == check })
	if i < 0 {
		return diagnosis{}
	}
	return r.Checks[i]
}

func TestDoctorOfAWellRealm(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	found, got := r.doctor(t)
	if got.code != exitOK || got.err != "" {
		t.Errorf("it gave %+v", got)
	}
	for _, check := range []string{"bus", "realm", "table", "bridge", "sidecar"} {
		if d := found.of(check); d.Status != isOK {
			t.Errorf("%s: %+v", check, d)
		}
	}
	if d := found.of("realm"); !strings.Contains(d.Detail, "1 service, 1 instance (1 passing), 0 disabled") {
		t.Errorf("the realm is %q", d.Detail)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	r := startRealm(t)
	imposter := httptest.NewServer(http.NotFoundHandler())
	defer imposter.Close()
	found, got := r.doctor(t, "--http-addr", address(imposter.URL), "--sidecar-addr", address(imposter.URL))
	if got.code != exitFailed || !strings.Contains(got.err, "2 of ") || found.Status != isFail {
		t.Errorf("it gave %+v", got)
	}
	for _, check := range []string{"bridge", "sidecar"} {
		if d := found.of(check); d.Status != isFail || d.Hint == "" {
			t.Errorf("%s: %+v", check, d)
		}
	}
	found, got = r.doctor(t, "--http-addr", "127.0.0.1:1", "--sidecar-addr", "127.0.0.1:1")
	if got.code != exitOK || found.of("bridge").Status != isWarn || found.of("sidecar").Status != isWarn {
		t.Errorf("where nobody listens it gave %+v", got)
	}
}

func TestJudgeSidecar(t *testing.T) {
	warned := sidecarReport{}
	warned.Plane.Warning = "has to be reloaded"
	mistaken := sidecarReport{Attended: []roster.Entry{{File: "a.yaml", Problem: "port: is required"}, {File: "b.yaml"}}}
	down := mistaken
	down.Problems = []string{"haproxy does not run"}
	for want, r := range map[string]sidecarReport{
		"ok here: carries the table":                                 {},
		"warn here: has to be reloaded":                              warned,
		"warn here: a.yaml: port: is required":                       mistaken,
		"fail here: haproxy does not run; a.yaml: port: is required": down,
	} {
		if d := judgeSidecar("here", r); string(d.Status)+" "+d.Detail != want || (d.Hint == "") != (d.Status == isOK) {
			t.Errorf("got %+v, want %s", d, want)
		}
	}
}

func TestDoctorTellsOfOverridesAndServicesNobodyCanUse(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	found, _ := r.doctor(t)
	if d := found.of("overrides").Detail + found.of("services").Detail; d != "" {
		t.Errorf("all is well, and it says %s", d)
	}
	r.succeed(t, "disable", "identity", "a")
	r.succeed(t, "disable", "identity", "mistyped")
	r.succeed(t, "weight", "identity", "mistyped", "5")
	found, _ = r.doctor(t)
	d := found.of("overrides")
	if d.Status != isWarn || d.Detail != "2 overrides of instances that are not registered: identity/mistyped at weight 5, identity/mistyped disabled" {
		t.Errorf("overrides: %+v", d)
	}
	if d := found.of("services"); d.Status != isWarn || d.Detail != "no instance is enabled and well: identity (1 instance)" {
		t.Errorf("services: %+v", d)
	}
}

func TestJudgeQuarantine(t *testing.T) {
	for key, inForce := range map[string]bool{
		"hosts.local.identity.a": true, "hosts.local.identity.a.weight": true,
		"hosts.local.identity": false, "hosts.local.identity.a.colour": false, "hosts.local.Identity.X": false, "somewhere.else": false,
	} {
		d := judgeQuarantine(protocol.StatusReply{Quarantined: map[string]string{key: "rubbish"}})[0]
		if strings.Contains(d.Hint, "last good value") != inForce || !strings.HasSuffix(d.Hint, "nats --context fairlead kv del atlas "+key) {
			t.Errorf("%s: %+v", key, d)
		}
	}
}

func TestJudgeHeld(t *testing.T) {
	if got := judgeHeld(nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
	held := &protocol.HeldEvictions{
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Count: 12,
		Some: []registry.Key{{Realm: "local", Service: "identity", Instance: "a"}},
	}
	got := judgeHeld(held)
	want := "12 evictions held back since 2026-01-02T03:04:05Z, because too many fell silent at once: identity/a"
	if len(got) != 1 || got[0].Status != isWarn || got[0].Detail != want {
		t.Errorf("got %+v", got)
	}
}

func TestDoctorWithoutABus(t *testing.T) {
	got := fairlead(t, "nats://127.0.0.1:1", "", "doctor", "--http-addr", "127.0.0.1:1", "--sidecar-addr", "127.0.0.1:1")
	if got.code != exitFailed || !strings.HasPrefix(got.out, "fail  bus ") || !strings.Contains(got.err, "1 of 3 checks failed") {
		t.Errorf("it gave %+v", got)
	}
}

// The nats tool's context lets people in to the registry's bucket. What they
// edit there by hand takes effect, and rubbish is shown by doctor.
func TestNATSContext(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	login := decode[natsContext](t, r.succeed(t, "nats-context", "--data", r.data))
	kv := openRegistry(t, login)

	entry, err := kv.Get(t.Context(), "hosts.local.identity.a")
	if err != nil || !strings.Contains(string(entry.Value()), "127.0.0.1") {
		t.Fatalf("the registration is %v (%v)", entry, err)
	}
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a.enabled", "false"); err != nil {
		t.Fatal(err)
	}
	r.await(t, "identity", "a", func(in registry.Instance, _ bool) bool { return !in.Enabled })
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a.enabled", "rubbish"); err != nil {
		t.Fatal(err)
	}
	r.awaitQuarantine(t)
	found, _ := r.doctor(t)
	d := found.of("quarantine")
	if d.Status != isWarn || !strings.Contains(d.Detail, "hosts.local.identity.a.enabled: ") || !strings.Contains(d.Hint, "nats --context fairlead kv del atlas hosts.local.identity.a.enabled") {
		t.Errorf("the diagnosis is %+v", d)
	}
}

func openRegistry(t *testing.T, login natsContext) jetstream.KeyValue {
	t.Helper()
	conn, err := bus.Connect(t.Context(), bus.Options{URL: login.URL, User: login.User, Password: login.Password, FailFast: true, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// awaitQuarantine asks again and again: nothing is published of it.
func (r *realm) awaitQuarantine(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		status, err := r.session.Atlas().Status(ctx, r.session.Realm())
		if err != nil {
			t.Fatal(err)
		}
		if len(status.Quarantined) > 0 {
			return
		}
	}
}

func TestNATSContextIsSaved(t *testing.T) {
	r := startRealm(t)
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	out := r.succeed(t, "nats-context", "--data", r.data, "--save")
	file := filepath.Join(config, "nats", "context", "fairlead.json")
	if !strings.Contains(out, file) {
		t.Errorf("it says %q", out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if saved := decode[natsContext](t, string(text)); saved.URL != r.NATS || saved.User != "atlas" || saved.Password == "" {
		t.Errorf("it saved %+v", saved)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v)", info, err)
	}
}

func TestJudgeRegistry(t *testing.T) {
	nodes := []protocol.NodeStatus{
		{Node: "a-1", Leads: true, Able: true, Revision: registry.Revision{Epoch: "e", Sequence: 7}},
		{Node: "b-1", Able: true, Settling: true, Revision: registry.Revision{Epoch: "e", Sequence: 6}},
	}
	if d := judgeNodes(protocol.StatusReply{Nodes: nodes})[0]; d.Status != isOK || d.Detail != "2 nodes: a-1 at 7 leads, b-1 at 6 is settling" {
		t.Errorf("%+v", d)
	}
	if d := judgeNodes(protocol.StatusReply{Nodes: nodes[1:]})[0]; d.Status != isWarn {
		t.Errorf("nobody leads: %+v", d)
	}
	if d := judgeRegistry(protocol.StatusReply{Settling: true}); d.Status != isWarn || d.Hint == "" {
		t.Errorf("a settling registry is %+v", d)
	}
	suspects := protocol.StatusReply{Realms: map[string]protocol.RealmStatus{
		"local": {Services: 1, Instances: 2, Statuses: map[registry.Status]int{registry.Passing: 1, registry.Suspect: 1}},
	}}
	if d := judgeRealm("local", suspects); d.Status != isWarn || !strings.Contains(d.Detail, "(1 passing, 1 suspect)") {
		t.Errorf("a realm with a suspect is %+v", d)
	}
	if d := judgeRealm("empty", suspects); d.Status != isWarn || !strings.Contains(d.Hint, "--realm") {
		t.Errorf("an empty realm is %+v", d)
	}
}

func TestJudgeTable(t *testing.T) {
	snap := registry.Snapshot{
		Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 5},
		Services: []registry.ServiceSnapshot{{Name: "s", Revision: 5, Instances: []registry.Instance{{Service: "s", ID: "a"}}}},
	}
	right := registry.FormatHash(snap.Table().Hash())
	tests := []struct {
		name, epoch string
		revision    uint64
		hash, want  string
	}{
		{"equal", "e", 5, right, isOK},
		{"another hash", "e", 5, registry.FormatHash(1), isFail},
		{"another version", "e", 5, "9:1", isWarn},
		{"another revision", "e", 6, right, ""},
		{"another epoch", "f", 5, right, ""},
	}
	for _, tt := range tests {
		d, sure := judgeTable(snap, registry.Digest{Epoch: tt.epoch, Realm: "local", Revision: tt.revision, Hash: tt.hash})
		if d.Status != tt.want || sure != (tt.want != "") {
			t.Errorf("%s: %+v (sure: %t)", tt.name, d, sure)
		}
	}
}

// A sidecar that follows nothing yet has a revision of nothing.
func TestSidecarReportIsReadByPeople(t *testing.T) {
	var text strings.Builder
	r := sidecarReport{Status: sidecar.Status{Services: 1, Instances: 2, Applied: registry.Revision{Epoch: "e", Sequence: 7}}}
	r.print(&text)
	for _, want := range []string{"e-7 applied, none offered", "1 service, 2 instances", "0 reloads, 0 repairs"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &text)
		}
	}
}
