package main

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestListings(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	r.register(t, "identity", "b", server.URL)
	r.register(t, "mail", "a", server.URL)
	r.succeed(t, "disable", "identity", "b", "--reason", "bad disk", "--owner", "jane")
	r.succeed(t, "drain", "mail", "a", "--reason", "new kernel", "--owner", "jane")
	r.succeed(t, "enable", "identity", "a", "--reason", "why not", "--owner", "jane")

	services := decode[servicesListing](t, r.succeed(t, "services", "-o", "json"))
	want := []serviceRow{{Service: "identity", Instances: 2, Passing: 2, Disabled: 1}, {Service: "mail", Instances: 1}}
	if !reflect.DeepEqual(services.Services, want) {
		t.Errorf("services are %+v, want %+v", services.Services, want)
	}
	if services.Realm != "local" || services.Source != registry.Live || services.Revision.Epoch == "" || services.Revision.Sequence == 0 {
		t.Errorf("the listing is of %+v", services.origin)
	}
	instances := decode[instancesListing](t, r.succeed(t, "instances", "identity", "-o", "json"))
	if n := len(instances.Instances); n != 2 {
		t.Fatalf("there are %d instances of identity", n)
	}
	b := instances.Instances[1]
	if b.ID != "b" || b.Endpoint != server.URL || b.Enabled || b.Reason != "bad disk" || b.Owner != "jane" || b.Status != registry.Passing || b.Since.IsZero() {
		t.Errorf("instance b is %+v", b)
	}
	text := r.succeed(t, "instances")
	for _, part := range []string{"SERVICE", "bad disk (jane)", "passing", "1.4.2", server.URL, "mail"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	if strings.Contains(text, "why not") || !strings.Contains(text, "REGISTERED") || !strings.Contains(text, "new kernel (jane)") {
		t.Errorf("reasons are not where they explain something:\n%s", text)
	}
	got := r.fairlead(t, "services")
	if !strings.Contains(got.out, "identity  2          2        1") || !strings.Contains(got.err, "realm local, revision") {
		t.Errorf("services are\n%s%s", got.out, got.err)
	}
}

func TestNoSuchService(t *testing.T) {
	r := startRealm(t)
	for _, args := range [][]string{{"instances", "nope"}, {"call", "GET", "service://nope/"}} {
		got := r.fairlead(t, args...)
		if got.code != exitNotFound || got.err != "fairlead: no such service: nope in realm local\n" || got.out != "" {
			t.Errorf("%v gave %+v", args, got)
		}
	}
	if got := r.succeed(t, "services", "-o", "json"); !strings.Contains(got, `"services": []`) {
		t.Errorf("without services the listing is %s", got)
	}
}

func TestOverrides(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	steps := []struct {
		args string
		says string
		is   func(registry.Instance) bool
	}{
		{"disable identity a --reason why --until 2h", "disabled", func(in registry.Instance) bool {
			return !in.Enabled && in.Reason == "why" && in.Owner != "" && time.Until(in.Until) > time.Hour
		}},
		{"enable identity a --reason done --owner jane", "enabled", func(in registry.Instance) bool {
			return in.Enabled && in.Reason == "done" && in.Owner == "jane" && in.Until.IsZero()
		}},
		{"enable identity a --clear", "enabled, without a flag,", func(in registry.Instance) bool { return in.Enabled && in.Reason == "" }},
		{"weight identity a 7", "at weight 7", func(in registry.Instance) bool { return in.Weight == 7 }},
		{"weight identity a --clear", "back at its own weight", func(in registry.Instance) bool { return in.Weight == 100 }},
		{"drain identity a", "draining", func(in registry.Instance) bool { return in.Status == registry.Draining }},
		{"drain identity a --off", "not draining", func(in registry.Instance) bool { return in.Status == registry.Passing }},
	}
	for _, step := range steps {
		got := r.fairlead(t, strings.Fields(step.args)...)
		if got.code != exitOK || got.err != "" || !strings.HasPrefix(got.out, "local/identity/a is "+step.says+" as of revision ") {
			t.Errorf("%s gave %+v", step.args, got)
		}
		r.await(t, "identity", "a", func(in registry.Instance, _ bool) bool { return step.is(in) })
	}
}

func TestClearingWhatWasNeverSet(t *testing.T) {
	r := startRealm(t)
	clears := []string{"enable identity a --clear", "drain identity a --off", "weight identity a --clear"}
	check := func(code int, want string) {
		t.Helper()
		for _, args := range clears {
			got := r.fairlead(t, strings.Fields(args)...)
			if got.code != code || !strings.Contains(got.out, want) || !strings.Contains(got.err, "is the name right?") {
				t.Errorf("%s gave %+v", args, got)
			}
		}
	}
	check(exitOK, "local/identity/a: nothing was set\n")
	for _, args := range []string{"disable identity a", "drain identity a", "weight identity a 5"} {
		r.succeed(t, strings.Fields(args)...)
	}
	check(exitOK, " as of revision ")
	check(exitOK, "local/identity/a: nothing was set\n")
}

func TestOverrideOfWhatIsNotThereYet(t *testing.T) {
	r := startRealm(t)
	got := r.fairlead(t, "disable", "identity", "a", "-o", "json", "--owner", "jane")
	if got.code != exitOK || !strings.HasPrefix(got.err, "note: local/identity/a is not registered now") {
		t.Errorf("it gave %+v", got)
	}
	reply := decode[struct {
		Service, Instance, Override string
		Value                       registry.Flag
		Revision                    registry.Revision
	}](t, got.out)
	if reply.Service != "identity" || reply.Override != "enabled" || reply.Value.Owner != "jane" || reply.Revision.Sequence == 0 {
		t.Errorf("the reply is %+v", reply)
	}
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	if in := r.await(t, "identity", "a", func(_ registry.Instance, listed bool) bool { return listed }); in.Enabled {
		t.Error("it is enabled, though it was disabled before it came")
	}
	if got := r.succeed(t, "enable", "identity", "a", "--clear", "-o", "json"); !strings.Contains(got, `"value": null`) {
		t.Errorf("clearing says %s", got)
	}
}

// Whatever is wrong is told before anything is sent.
func TestBadInputChangesNothing(t *testing.T) {
	r := startRealm(t)
	revision := decode[servicesListing](t, r.succeed(t, "services", "-o", "json")).Revision
	bad := []string{"a.b", "*", "a>", "a b", "a\nb", strings.Repeat("x", 300), "Identity", "", "-a"}
	var calls [][]string
	for _, name := range bad {
		calls = append(calls,
			[]string{"service", "disable", "--", name, "a"}, []string{"instance", "disable", "--", "identity", name},
			[]string{"service", "enable", "--", name, "a"}, []string{"instance", "enable", "--", "identity", name},
			[]string{"service", "drain", "--", name, "a"}, []string{"service", "weight", "--", name, "a", "5"},
			[]string{"service", "instances", "--", name}, []string{"service", "watch", "--", name},
			[]string{"service", "run", "--service", name, "--port", "1", "true"},
			[]string{"--realm", "services", "--realm", name},
		)
		if name != "" {
			calls = append(calls, []string{"instance", "run", "--service", "a", "--instance", name, "--port", "1", "true"})
		}
		if !strings.ContainsAny(name, " \n") {
			calls = append(calls, []string{"service", "call", "GET", "service://" + name + "/"})
		}
	}
	calls = append(calls,
		[]string{"port", "run", "--service", "a", "--port", "70000", "true"},
		[]string{"--port", "run", "--service", "a", "--port", "-1", "true"},
		[]string{"--port", "run", "--service", "a", "true"},
		[]string{"--service", "run", "--port", "1", "true"},
		[]string{"COMMAND", "run", "--service", "a", "--port", "1", "/no/such/program"},
		[]string{"run", "run", "--service", "a", "--port", "1"},
		[]string{"host", "run", "--service", "a", "--port", "1", "--host", "169.254.169.254", "true"},
		[]string{"health", "run", "--service", "a", "--port", "1", "--health", "health", "true"},
		[]string{"--weight", "run", "--service", "a", "--port", "1", "--weight", "0", "true"},
		[]string{"weight", "run", "--service", "a", "--port", "1", "--weight", "1001", "true"},
		[]string{"--meta", "run", "--service", "a", "--port", "1", "--meta", "novalue", "true"},
		[]string{"check.interval", "run", "--service", "a", "--port", "1", "--health-interval", "1ns", "true"},
		[]string{"--drain-delay", "run", "--service", "a", "--port", "1", "--drain-delay", "-1s", "true"},
		[]string{"weight", "weight", "a", "b", "0"},
		[]string{"weight", "weight", "a", "b", "1001"},
		[]string{"weight", "weight", "a", "b", "many"},
		[]string{"weight", "weight", "a", "b"},
		[]string{"weight", "weight", "a", "b", "5", "--clear"},
		[]string{"--until", "disable", "a", "b", "--until", "tomorrow"},
		[]string{"--until", "disable", "a", "b", "--until", "-2h"},
		[]string{"--until", "disable", "a", "b", "--until", "2001-01-01T00:00:00Z"},
		[]string{"reason", "disable", "a", "b", "--reason", strings.Repeat("x", 600)},
		[]string{"reason", "disable", "a", "b", "--reason", "two\nlines"},
		[]string{"owner", "disable", "a", "b", "--owner", strings.Repeat("x", 200)},
		[]string{"disable", "disable", "a"},
		[]string{"--nope", "disable", "a", "b", "--nope"},
		[]string{"URL", "call", "GET", "http://identity/"},
		[]string{"URL", "call", "GET", "identity/users"},
		[]string{"URL", "call", "GET", "service://a b/"},
		[]string{"URL", "call", "GET", "service://user@identity/"},
		[]string{"METHOD", "call", "GE T", "service://identity/"},
		[]string{"--header", "call", "GET", "service://identity/", "-H", "novalue"},
		[]string{"--header", "call", "GET", "service://identity/", "-H", "a: b\r\nc: d"},
		[]string{"--data", "call", "PUT", "service://identity/", "-d", "@/no/such/file"},
		[]string{"--timeout", "services", "--timeout", "0s"},
		[]string{"--output", "services", "-o", "yaml"},
		[]string{"--http-addr", "doctor", "--http-addr", "nowhere"},
		[]string{"--data", "nats-context", "--data", t.TempDir()},
	)
	for _, call := range calls {
		field, args := call[0], call[1:]
		got := r.fairlead(t, args...)
		first, _, _ := strings.Cut(got.err, "\n")
		if got.code != exitUsage || got.out != "" || !strings.Contains(first, field) || len(first) > 300 {
			t.Errorf("%.60q gave %+v, want exit code %d and a line with %q", args, got, exitUsage, field)
		}
	}
	if after := decode[servicesListing](t, r.succeed(t, "services", "-o", "json")).Revision; after != revision {
		t.Errorf("the revision was %s and is %s", revision, after)
	}
}

func TestWithoutABus(t *testing.T) {
	for _, args := range [][]string{
		{"services"}, {"instances"}, {"watch"}, {"enable", "a", "b"}, {"disable", "a", "b"}, {"drain", "a", "b"},
		{"weight", "a", "b", "1"}, {"call", "GET", "service://a/"},
	} {
		got := fairlead(t, "nats://user:secret@127.0.0.1:1", "", args...)
		if got.code != exitUnavailable || !strings.Contains(got.err, "nobody listens at nats://") || !strings.Contains(got.err, "127.0.0.1:1: start fairlead up, or name the bus by --nats-url") || strings.Contains(got.err, "secret") {
			t.Errorf("%v gave %+v, want exit code %d", args, got, exitUnavailable)
		}
	}
}

func TestVersion(t *testing.T) {
	got := fairlead(t, "", "", "version", "-o", "json")
	if v := decode[buildVersion](t, got.out); v.Go == "" || v.Version == "" {
		t.Errorf("the version is %+v", v)
	}
}
