package bridge

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

const metaOfOne = "/v1/realms/local/services/identity/meta"

// TestBadInput: whatever a caller sends wrong has a clear refusal that names
// the field, and changes nothing.
func TestBadInput(t *testing.T) {
	g := newRig(t, nil)
	before := g.reg.Table("local").Revision
	at := func(realm, service, instance string) string {
		return "/v1/realms/" + url.PathEscape(realm) + "/services/" + url.PathEscape(service) + "/instances/" + url.PathEscape(instance)
	}
	deep := strings.Repeat(`{"metadata":`, 9000) + "1" + strings.Repeat("}", 9000)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		field                    string
	}{
		{name: "dot", method: "PUT", path: at("local", "a.b", "x"), body: good, status: 400, field: "service"},
		{name: "dots", method: "PUT", path: "/v1/realms/local/services/%2e%2e/instances/x", body: good, status: 400, field: "service"},
		{name: "star", method: "PUT", path: at("local", "identity", "*"), body: good, status: 400, field: "instance"},
		{name: "arrow", method: "PUT", path: at(">", "identity", "x"), body: good, status: 400, field: "realm"},
		{name: "space", method: "PUT", path: at("local", "identity", "a b"), body: good, status: 400, field: "instance"},
		{name: "newline", method: "PUT", path: "/v1/realms/local/services/identity%0a/instances/x", body: good, status: 400, field: "service"},
		{name: "slash", method: "PUT", path: at("local", "a/b", "x"), body: good, status: 400, field: "service"},
		{name: "long", method: "PUT", path: at("local", "identity", strings.Repeat("a", 300)), body: good, status: 400, field: "instance"},
		{name: "upper case", method: "PUT", path: at("local", "Identity", "x"), body: good, status: 400, field: "service"},
		{name: "not UTF-8", method: "PUT", path: "/v1/realms/local/services/%ff/instances/x", body: good, status: 400, field: "service"},
		{name: "empty", method: "PUT", path: "/v1/realms/local/services//instances/x", body: good, status: 400, field: "service"},
		{name: "name to read", method: "GET", path: at("local", "a.b", "x"), status: 400, field: "service"},
		{name: "name to list", method: "GET", path: "/v1/realms/Local/services", status: 400, field: "realm"},
		{name: "name to stream", method: "GET", path: "/v1/realms/a.b/routes", headers: []string{"Accept: text/event-stream"}, status: 400, field: "realm"},
		{name: "name to disable", method: "PUT", path: at("local", "a.>", "x") + "/enabled", body: "false", status: 400, field: "service"},
		{name: "name to beat", method: "POST", path: at("local", "a", "x y") + "/heartbeat", status: 400, field: "instance"},

		{name: "port 0", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":0}`, status: 400, field: "port"},
		{name: "port 70000", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":70000}`, status: 400, field: "port"},
		{name: "port is text", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":"5000"}`, status: 400, field: "port"},
		{name: "port is a fraction", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":5000.5}`, status: 400, field: "port"},
		{name: "port is huge", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":1e999}`, status: 400, field: "port"},
		{name: "no host", method: "PUT", path: one, body: `{"port":5000}`, status: 400, field: "host"},
		{name: "metadata address", method: "PUT", path: one, body: `{"host":"169.254.169.254","port":80}`, status: 400, field: "host"},
		{name: "unknown field", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":5000,"colour":"red"}`, status: 400, field: "colour"},
		{name: "field twice", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":5000,"port":5001}`, status: 400, field: "port"},
		{name: "field twice in other case", method: "PUT", path: one, body: `{"host":"127.0.0.1","Port":5000,"port":5001}`, status: 400, field: "port"},
		{name: "metadata twice", method: "PUT", path: one, body: `{"host":"127.0.0.1","port":5000,"metadata":{"a":"1","a":"2"}}`, status: 400, field: "a"},
		{name: "not JSON", method: "PUT", path: one, body: `host=127.0.0.1`, status: 400, field: "body"},
		{name: "half of it", method: "PUT", path: one, body: `{"host":"127.0.0.1"`, status: 400, field: "body"},
		{name: "two of it", method: "PUT", path: one, body: good + good, status: 400, field: "body"},
		{name: "nothing", method: "PUT", path: one, status: 400, field: "body"},
		{name: "array", method: "PUT", path: one, body: `[]`, status: 400, field: "body"},
		{name: "deep", method: "PUT", path: one, body: `{"metadata":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, status: 400, field: "body"},
		{name: "very deep", method: "PUT", path: one, body: deep[:60000], status: 400, field: "body"},
		{name: "too large", method: "PUT", path: one, body: strings.Repeat(" ", 10<<20), status: 413, field: "body"},
		{name: "too large to wait for", method: "PUT", path: one, body: strings.Repeat(" ", 10<<20), headers: []string{"Expect: 100-continue"}, status: 413, field: "body"},
		{name: "content type", method: "PUT", path: one, body: good, headers: []string{"Content-Type: text/xml"}, status: 415, field: "Content-Type"},
		{name: "precondition", method: "PUT", path: one, body: good, headers: []string{"If-None-Match: *"}, status: 400, field: "If-None-Match"},

		{name: "flag without a word", method: "PUT", path: one + "/enabled", body: `{"reason":"x"}`, status: 400, field: "enabled"},
		{name: "flag of text", method: "PUT", path: one + "/enabled", body: `{"enabled":"no"}`, status: 400, field: "enabled"},
		{name: "flag unknown field", method: "PUT", path: one + "/enabled", body: `{"enabled":false,"because":"x"}`, status: 400, field: "because"},
		{name: "until yesterday", method: "PUT", path: one + "/enabled", body: `{"enabled":false,"until":"2020-01-02T15:04:05Z"}`, status: 400, field: "until"},
		{name: "until tomorrow", method: "PUT", path: one + "/enabled", body: `{"enabled":false,"until":"tomorrow"}`, status: 400, field: "until"},
		{name: "until a number", method: "PUT", path: one + "/enabled", body: `{"enabled":false,"until":5}`, status: 400, field: "until"},
		{name: "long reason", method: "PUT", path: one + "/enabled", body: `{"enabled":false,"reason":"` + strings.Repeat("x", 600) + `"}`, status: 400, field: "reason"},
		{name: "weight 0", method: "PUT", path: one + "/weight", body: `{"weight":0}`, status: 400, field: "weight"},
		{name: "weight is not a number", method: "PUT", path: one + "/weight", body: `NaN`, status: 400, field: "weight"},
		{name: "drain of nothing", method: "PUT", path: one + "/drain", status: 400, field: "drain"},

		{name: "meta of nothing", method: "PUT", path: metaOfOne, status: 400, field: "body"},
		{name: "meta unknown field", method: "PUT", path: metaOfOne, body: `{"team":"a"}`, status: 400, field: "team"},
		{name: "meta owner is a number", method: "PUT", path: metaOfOne, body: `{"owner":7}`, status: 400, field: "owner"},
		{name: "meta policy timeout", method: "PUT", path: metaOfOne, body: `{"policy":{"timeout":"soon"}}`, status: 400, field: "policy.timeout"},
		{name: "meta policy timeout is a number", method: "PUT", path: metaOfOne, body: `{"policy":{"timeout":2}}`, status: 400, field: "policy.timeout"},
		{name: "meta policy attempts", method: "PUT", path: metaOfOne, body: `{"policy":{"attempts":99}}`, status: 400, field: "policy.attempts"},
		{name: "meta repository", method: "PUT", path: metaOfOne, body: `{"repository":"javascript:alert(1)"}`, status: 400, field: "repository"},
		{name: "meta tags", method: "PUT", path: metaOfOne, body: `{"tags":["a b"]}`, status: 400, field: "tags"},
		{name: "meta at what is no tag", method: "PUT", path: metaOfOne, body: `{}`, headers: []string{"If-Match: *"}, status: 400, field: "If-Match"},
		{name: "meta of a bad name", method: "DELETE", path: "/v1/realms/local/services/a.b/meta", status: 400, field: "service"},

		{name: "heartbeat status", method: "POST", path: one + "/heartbeat", body: `{"status":"fine"}`, status: 400, field: "status"},
		{name: "heartbeat suspect", method: "POST", path: one + "/heartbeat", body: `{"status":"suspect"}`, status: 400, field: "status"},
		{name: "heartbeat load", method: "POST", path: one + "/heartbeat", body: `{"load":NaN}`, status: 400, field: "body"},
		{name: "heartbeat in flight", method: "POST", path: one + "/heartbeat", body: `{"in_flight":-1}`, status: 400, field: "in_flight"},
		{name: "heartbeat unknown field", method: "POST", path: one + "/heartbeat", body: `{"mood":"good"}`, status: 400, field: "mood"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := g.do(c.method, c.path, c.body, c.headers...)
			if x.status != c.status {
				t.Fatalf("status %d, want %d: %.300s", x.status, c.status, x.body)
			}
			p := x.problem(t)
			if !strings.Contains(p.Detail, c.field) || strings.ContainsAny(p.Detail, "\n\r") {
				t.Errorf("detail %q does not name %q in one line", p.Detail, c.field)
			}
			named := len(p.Errors) == 0
			for _, e := range p.Errors {
				named = named || e.Field == c.field
			}
			if !named || c.status == 400 && len(p.Errors) == 0 {
				t.Errorf("errors %+v do not name %q", p.Errors, c.field)
			}
			if after := g.reg.Table("local").Revision; after != before {
				t.Errorf("revision went from %s to %s", before, after)
			}
		})
	}
}

func TestContentTypesOfCurlAndOthers(t *testing.T) {
	g := newRig(t, nil)
	for _, media := range []string{"application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "application/vnd.x+json"} {
		if x := g.do("PUT", one, good, "Content-Type: "+media); x.status >= 300 {
			t.Errorf("%s got %d: %s", media, x.status, x.body)
		}
	}
}

func TestGuard(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Hosts = []string{"Fairlead.example"} })
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"plain", nil, 200},
		{"localhost", []string{"Host: localhost:4300"}, 200},
		{"a name of localhost", []string{"Host: fairlead.LOCALHOST"}, 200},
		{"IPv6", []string{"Host: [::1]:4300"}, 200},
		{"another address", []string{"Host: 10.0.0.7"}, 200},
		{"configured", []string{"Host: fairlead.example:4300"}, 200},
		{"rebound name", []string{"Host: evil.example:4300"}, 421},
		{"rebound look-alike", []string{"Host: localhost.evil.example"}, 421},
		{"service name", []string{"Host: identity.service"}, 421},
		{"own page", []string{"Host: localhost:4300", "Origin: http://localhost:4300", "Sec-Fetch-Site: same-origin"}, 200},
		{"address bar", []string{"Sec-Fetch-Site: none"}, 200},
		{"other page", []string{"Origin: http://evil.example"}, 403},
		{"other port", []string{"Host: localhost:4300", "Origin: http://localhost:3000"}, 403},
		{"sandboxed page", []string{"Origin: null"}, 403},
		{"image on other page", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"image on other port", []string{"Sec-Fetch-Site: same-site"}, 403},
	} {
		for _, path := range []string{"/v1/realms/local/services", "/call/identity/x", "/openapi.json", "/"} {
			if x := g.do("GET", path, "", c.headers...); x.status != c.status {
				t.Errorf("%s: %s got %d, want %d", c.name, path, x.status, c.status)
			}
		}
	}
}

// FuzzFind: no path can panic the router, and what it lets through has names
// that are valid.
func FuzzFind(f *testing.F) {
	for _, path := range []string{one, one + "/enabled", "/", "", "//", "/v1/realms/%2e%2e/services", "/call/x", "/%", "/v1/realms/a%00b/routes"} {
		f.Add("PUT", path)
	}
	b := &Bridge{opts: Options{Atlas: refusing{}}}
	routes := b.table()
	f.Fuzz(func(t *testing.T, method, path string) {
		h, _, key, err := find(routes, method, path)
		if err == nil && h == nil {
			t.Fatal("neither a handler nor an error")
		}
		if err != nil {
			if p, _ := problemOf(err); p.Status < 400 || p.Status >= 500 {
				t.Fatalf("%q got %d", path, p.Status)
			}
			return
		}
		for _, name := range []string{key.Realm, key.Service, key.Instance} {
			if name != "" && registry.ValidateName("name", name) != nil {
				t.Fatalf("%q let the name %q through", path, name)
			}
		}
	})
}

// FuzzBody: no body can panic the decoders, and each is accepted or refused
// with fields named.
func FuzzBody(f *testing.F) {
	for _, body := range []string{good, "", "null", "[[[[", `{"a":{"a":1,"a":2}}`, `{"port":1e999}`, `true`, "\xff", `{"enabled":false,"until":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := checkShape(body)
		if err == nil {
			_, err = registry.DecodeRegistration(body)
		}
		if err == nil {
			return
		}
		if p, _ := problemOf(err); p.Status != http.StatusBadRequest || len(p.Errors) == 0 {
			t.Fatalf("%q got %+v", body, p)
		}
		if _, err := decodeFlag(body); err != nil {
			if p, _ := problemOf(err); p.Status != http.StatusBadRequest || len(p.Errors) == 0 {
				t.Fatalf("%q got %+v as a flag", body, p)
			}
		}
	})
}

type refusing struct{ registry.Atlas }
