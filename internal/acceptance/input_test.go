package acceptance

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// badNames are no DNS labels.
var badNames = map[string]string{
	"a dot":            "a.b",
	"a star":           "*",
	"a greater-than":   ">",
	"a space":          "a b",
	"a newline":        "a\nb",
	"300 characters":   strings.Repeat("a", 300),
	"upper case":       "Identity",
	"nothing":          "",
	"a hyphen first":   "-a",
	"an umlaut":        "bücher",
	"a path":           "../x",
	"a NUL":            "a\x00b",
	"a KV placeholder": "$KV",
}

// A badBody is one that must be refused, and what the refusal must name.
type badBody struct{ name, text, field string }

var badRegistrations = []badBody{
	{"port 0", `{"host":"127.0.0.1","port":0}`, "port"},
	{"port 70000", `{"host":"127.0.0.1","port":70000}`, "port"},
	{"a negative port", `{"host":"127.0.0.1","port":-1}`, "port"},
	{"a port in words", `{"host":"127.0.0.1","port":"http"}`, "port"},
	{"no port", `{"host":"127.0.0.1"}`, "port"},
	{"no host", `{"port":5000}`, "host"},
	{"a host with a space", `{"host":"a b","port":5000}`, "host"},
	{"the metadata address", `{"host":"169.254.169.254","port":80}`, "host"},
	{"another scheme", `{"host":"127.0.0.1","port":5000,"scheme":"gopher"}`, "scheme"},
	{"a health that is no path", `{"host":"127.0.0.1","port":5000,"health":"ready"}`, "health"},
	{"a weight too large", `{"host":"127.0.0.1","port":5000,"weight":100000}`, "weight"},
	{"numbers in the metadata", `{"host":"127.0.0.1","port":5000,"metadata":{"a":1}}`, "metadata"},
	{"half of JSON", `{"host":"127.0.0.1",`, "body"},
	{"no JSON", `host: 127.0.0.1`, "body"},
	{"an array", `[]`, "body"},
}

// quietly runs the tests in a realm that nothing changes, and checks at the
// end that nothing did.
func quietly(t *testing.T, test func(t *testing.T, r *realm)) {
	t.Helper()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	stream, keys := r.truth(t)
	routes := expect(t, 200, r.HTTP+"/v1/realms/local/routes")
	test(t, r)
	if now := expect(t, 200, r.HTTP+"/v1/realms/local/routes"); now != routes {
		t.Errorf("the routes are now %s, were %s", now, routes)
	}
	if nowStream, nowKeys := r.truth(t); nowStream != stream || nowKeys != keys {
		t.Errorf("the bucket is at %d with %s, was at %d with %s", nowStream, nowKeys, stream, keys)
	}
	if body := expect(t, 200, "-H", byHeader, r.Sidecar+"/users/1"); body != expectedUser {
		t.Errorf("afterwards identity answers %q", body)
	}
}

// truth is what the registry's bucket holds.
func (r *realm) truth(t *testing.T) (last uint64, keys string) {
	t.Helper()
	kv := r.bucket(t, "atlas")
	names, err := kv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status, err := kv.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.(*jetstream.KeyValueBucketStatus).StreamInfo().State.LastSeq, fmt.Sprint(names)
}

func TestBadInputOverHTTPIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	quietly(t, func(t *testing.T, r *realm) {
		for name, bad := range badNames {
			t.Run("a name with "+name, func(t *testing.T) { r.refuseName(t, bad) })
		}
		at := r.instanceURL("site", "one")
		unknown := badBody{"an unknown field", `{"host":"127.0.0.1","port":5000,"colour":"red"}`, "colour"}
		for _, bad := range append(badRegistrations, unknown) {
			t.Run(bad.name, func(t *testing.T) { refused(t, 400, bad.field, "-X", "PUT", "-d", bad.text, at) })
		}
		t.Run("10 MB", func(t *testing.T) { r.refuseTenMegabytes(t, at) })
		identity := r.instanceURL("identity", "identity-1")
		for _, bad := range []struct {
			path string
			badBody
		}{
			{"/enabled", badBody{"a flag in words", `{"enabled":"no"}`, "enabled"}},
			{"/enabled", badBody{"a flag without a value", `{"reason":"because"}`, "enabled"}},
			{"/enabled", badBody{"a flag until yesterday", `{"enabled":false,"until":"2001-01-01T00:00:00Z"}`, "until"}},
			{"/enabled", badBody{"a flag with an unknown field", `{"enabled":false,"colour":"red"}`, "colour"}},
			{"/enabled", badBody{"a flag that is half of JSON", `{"enabled":`, "enabled"}},
			{"/weight", badBody{"a weight of 0", `{"weight":0}`, "weight"}},
			{"/drain", badBody{"a drain in words", `{"drain":"soon"}`, "drain"}},
		} {
			t.Run(bad.name, func(t *testing.T) { refused(t, 400, bad.field, "-X", "PUT", "-d", bad.text, identity+bad.path) })
		}
		t.Run("a status that there is not", func(t *testing.T) {
			refused(t, 400, "status", "-X", "POST", "-d", `{"status":"fine"}`, identity+"/heartbeat")
		})
	})
}

// refuseName puts a bad name wherever HTTP takes one.
func (r *realm) refuseName(t *testing.T, bad string) {
	escaped := strings.ReplaceAll(url.PathEscape(bad), "..", "%2E%2E")
	good := `{"host":"127.0.0.1","port":5000}`
	refused(t, 400, "realm", "-X", "PUT", "-d", good, r.HTTP+"/v1/realms/"+escaped+"/services/site/instances/one")
	refused(t, 400, "service", "-X", "PUT", "-d", good, r.HTTP+"/v1/realms/local/services/"+escaped+"/instances/one")
	refused(t, 400, "instance", "-X", "PUT", "-d", good, r.instanceURL("site", escaped))
	refused(t, 400, "instance", "-X", "PUT", "-d", "false", r.instanceURL("identity", escaped)+"/enabled")
	refused(t, 400, "service", r.HTTP+"/call/"+escaped+"/users/1")
	if bad != "" && !strings.ContainsAny(bad, "\n\x00") { // what can stand in a header
		refused(t, 400, "Fairlead-Service", "-H", "Fairlead-Service: "+bad, r.Sidecar+"/users/1")
	}
}

// refuseTenMegabytes sends them with and without asking first.
func (r *realm) refuseTenMegabytes(t *testing.T, at string) {
	file := filepath.Join(t.TempDir(), "large.json")
	text := `{"host":"127.0.0.1","port":5000,"version":"` + strings.Repeat("x", 10<<20) + `"}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, 413, "body", "-X", "PUT", "--data-binary", "@"+file, at)
	refused(t, 413, "body", "-X", "PUT", "-H", "Expect:", "--data-binary", "@"+file, at)
	refused(t, 413, "body", "-X", "PUT", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", "@"+file, at)
}

// refused fails the test unless curl gets a problem of one line that names the
// field.
func refused(t *testing.T, status int, field string, args ...string) {
	t.Helper()
	got := curl(t, args...)
	if got.status != status || got.kind != "application/problem+json" {
		t.Errorf("curl %.200q: got %d %s %.300s", args, got.status, got.kind, got.body)
		return
	}
	detail := decode[struct{ Detail string }](t, got.body).Detail
	if !strings.HasPrefix(detail, field+": ") || strings.ContainsAny(detail, "\r\n") {
		t.Errorf("curl %.200q: %q does not name %s, on one line", args, detail, field)
	}
}

func TestBadInputOnTheBusIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	quietly(t, func(t *testing.T, r *realm) {
		app := r.app(t)
		good := `{"registration":{"host":"127.0.0.1","port":5000}}`
		for name, bad := range badNames {
			for at, field := range []string{"realm", "service", "instance"} {
				t.Run(field+" with "+name, func(t *testing.T) {
					names := []string{"local", "site", "one"}
					names[at] = bad
					refusedOnTheBus(t, app, field, "atlas.v1.register."+strings.Join(names, "."), good)
					refusedOnTheBus(t, app, field, "atlas.v1.flag."+strings.Join(names, "."), `{"flag":{"enabled":false}}`)
				})
			}
		}
		at := "atlas.v1.register.local.site.one"
		for _, bad := range badRegistrations {
			t.Run(bad.name, func(t *testing.T) {
				if bad.field == "body" {
					refusedOnTheBus(t, app, "body", at, bad.text)
					return
				}
				refusedOnTheBus(t, app, bad.field, at, `{"registration":`+bad.text+`}`)
			})
		}
		t.Run("100 KB", func(t *testing.T) {
			refusedOnTheBus(t, app, "body", at, `{"incarnation":"`+strings.Repeat("x", 100<<10)+`"}`)
		})
		t.Run("10 MB", func(t *testing.T) {
			if refusal := refusalOf(t, app, at, strings.Repeat("x", 10<<20)); refusal != nats.ErrMaxPayload.Error() {
				t.Errorf("got %q", refusal)
			}
		})
		t.Run("a flag in words", func(t *testing.T) {
			refusedOnTheBus(t, app, "enabled", "atlas.v1.flag.local.identity.identity-1", `{"flag":{"enabled":"no"}}`)
		})
	})
}

// refusedOnTheBus fails the test unless a request is refused. What the bus
// itself does not carry, such as spaces and empty tokens, needs no name of a
// field; a dot is part of no name but of the subject.
func refusedOnTheBus(t *testing.T, conn *nats.Conn, field, subject, body string) {
	t.Helper()
	msg, err := conn.Request(subject, []byte(body), patience)
	emptyToken := strings.Contains(subject+".", "..")
	if errors.Is(err, nats.ErrBadSubject) || emptyToken && errors.Is(err, nats.ErrNoResponders) {
		return
	}
	if err != nil {
		t.Errorf("%.80q: %v", subject, err)
		return
	}
	code := msg.Header.Get("Nats-Service-Error-Code")
	detail := decode[struct{ Detail string }](t, string(msg.Data)).Detail
	named := strings.Contains(detail, field+": ") || strings.HasPrefix(detail, "subject: ")
	if code != "400" || !named || strings.ContainsAny(detail, "\r\n") {
		t.Errorf("%.80q: code %q, %q does not name %s, on one line", subject, code, detail, field)
	}
}

func TestOnTheBusUnknownFieldsAreTolerated(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	text := `{"registration":{"host":"127.0.0.1","port":5000,"colour":"red"},"shape":"round"}`
	if refusal := refusalOf(t, r.app(t), "atlas.v1.register.local.site.one", text); refusal != "" {
		t.Errorf("refused: %s", refusal)
	}
	if _, listed := r.instances(t, "site")["one"]; !listed {
		t.Error("it is not listed")
	}
}

func TestBadInputOnTheCommandLineIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	quietly(t, func(t *testing.T, r *realm) {
		for name, bad := range badNames {
			if strings.Contains(bad, "\x00") || strings.HasPrefix(bad, "-") {
				continue // no argument, and a flag
			}
			t.Run("a name with "+name, func(t *testing.T) {
				r.refuseCommand(t, "service", "disable", bad, "one")
				r.refuseCommand(t, "instance", "disable", "identity", bad)
				r.refuseCommand(t, "service", "instances", bad)
				r.refuseCommand(t, "--realm", "services", "--realm", bad)
				r.refuseCommand(t, "service", "run", "--service", bad, "--port", "5000", "--", "true")
			})
		}
		for field, args := range map[string][]string{
			"port":            {"run", "--service", "site", "--port", "70000", "--", "true"},
			"--port":          {"run", "--service", "site", "--", "true"},
			"health":          {"run", "--service", "site", "--port", "5000", "--health", "ready", "--", "true"},
			"instance":        {"run", "--service", "site", "--port", "5000", "--instance", "One", "--", "true"},
			"COMMAND":         {"run", "--service", "site", "--port", "5000", "--", "no-such-program"},
			"service":         {"call", "GET", "service://a.b/users/1"},
			"URL":             {"call", "GET", "http://identity/users/1"},
			"--until":         {"disable", "identity", "identity-1", "--until", "yesterday"},
			"weight":          {"weight", "identity", "identity-1", "70000"},
			"reason":          {"disable", "identity", "identity-1", "--reason", "two\nlines"},
			"unknown flag":    {"disable", "identity", "identity-1", "--colour", "red"},
			"--output":        {"services", "-o", "yaml"},
			"--http-addr":     {"up", "--http-addr", "127.0.0.1:70000", "--sidecar-addr", "127.0.0.1:0"},
			"--nats-addr":     {"up", "--nats-addr", "nowhere", "--http-addr", "127.0.0.1:0", "--sidecar-addr", "127.0.0.1:0", "--data", t.TempDir()},
			"--config":        {"services", "--config", "no-such-file"},
			"--addr":          {"sidecar", "--addr", "0.0.0.0:0"},
			"unknown command": {"enabel", "identity", "identity-1"},
		} {
			t.Run(field, func(t *testing.T) { r.refuseCommand(t, field, args...) })
		}
	})
}

// howToGetHelp is what follows a mistake: it names the command, if there is one.
var howToGetHelp = regexp.MustCompile(`(?m)^Run 'fairlead help[a-z -]*' for how it is used\.$`)

// refuseCommand fails the test unless the command says on its first line which
// field is wrong, and nothing else but how to get help.
func (r *realm) refuseCommand(t *testing.T, field string, args ...string) {
	t.Helper()
	got := r.cli(t, args...)
	first, rest, _ := strings.Cut(got.err, "\n")
	rest = strings.TrimSpace(howToGetHelp.ReplaceAllString(rest, ""))
	if got.code != 2 || got.out != "" || rest != "" || !strings.HasPrefix(first, "fairlead: ") || !strings.Contains(first, field) {
		t.Errorf("fairlead %.200q: exit code %d, said %.300q %.100q, which should name %s", args, got.code, got.err, got.out, field)
	}
}
