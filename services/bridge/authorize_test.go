package bridge

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"fairlead.dev/access"
	"fairlead.dev/registry/protocol"
)

// grants are the roles of realm local, and bearers of them, by token.
var grants = map[string]access.Grant{
	"reader":           {Role: access.Reader, Realm: "local"},
	"reader elsewhere": {Role: access.Reader, Realm: "other"},
	"instance":         {Role: access.Instance, Realm: "local", Services: []string{"identity"}},
	"one instance":     {Role: access.Instance, Realm: "local", Services: []string{"identity"}, Instance: "a-1"},
	"another instance": {Role: access.Instance, Realm: "local", Services: []string{"identity"}, Instance: "b-1"},
	"another service":  {Role: access.Instance, Realm: "local", Services: []string{"billing"}},
	"flags":            {Role: access.Operator, Realm: "local", Verbs: []string{protocol.Flag}},
	"weights":          {Role: access.Operator, Realm: "local", Verbs: []string{protocol.Weight}},
	"drains":           {Role: access.Operator, Realm: "local", Verbs: []string{protocol.Drain}},
	"metadata":         {Role: access.Operator, Realm: "local", Verbs: []string{access.Meta}},
	"configures":       {Role: access.Operator, Realm: "local", Verbs: []string{access.Configure}},
	"operates billing": {Role: access.Operator, Realm: "local", Verbs: access.OperatorVerbs, Services: []string{"billing"}},
	"operates other":   {Role: access.Operator, Realm: "other", Verbs: access.OperatorVerbs},
}

// whole are those whose grant is of realm local, and who so may read it.
var whole = []string{
	"reader", "instance", "one instance", "another instance", "another service",
	"flags", "weights", "drains", "metadata", "configures", "operates billing",
}

// allowed says for every method of every path who may use it, of identity and
// its instance a-1 in realm local. A path that is not here fails the test.
var allowed = map[string][]string{
	"GET " + realmPath + "/routes":               whole,
	"GET " + realmPath + "/services":             whole,
	"GET " + servicePath:                         whole,
	"GET " + servicePath + "/explain":            whole,
	"GET " + servicePath + "/meta":               whole,
	"PUT " + servicePath + "/meta":               {"metadata"},
	"DELETE " + servicePath + "/meta":            {"metadata"},
	"GET " + servicePath + "/settings":           {"instance", "one instance", "another instance", "configures"},
	"PUT " + servicePath + "/settings/{name}":    {"configures"},
	"DELETE " + servicePath + "/settings/{name}": {"configures"},
	"GET " + instancePath:                        whole,
	"PUT " + instancePath:                        {"instance", "one instance"},
	"DELETE " + instancePath:                     {"instance", "one instance"},
	"POST " + instancePath + "/heartbeat":        {"instance", "one instance"},
	"PUT " + instancePath + "/enabled":           {"flags"},
	"DELETE " + instancePath + "/enabled":        {"flags"},
	"PUT " + instancePath + "/weight":            {"weights"},
	"DELETE " + instancePath + "/weight":         {"weights"},
	"PUT " + instancePath + "/drain":             {"drains"},
	"DELETE " + instancePath + "/drain":          {"drains"},
	"GET /metrics":                               append(slices.Clone(whole), "reader elsewhere", "operates other"),
}

func TestEveryRouteAsksForItsVerb(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Metrics = http.NotFoundHandler()
		o.Authorize = func(token string) (access.Grant, bool) {
			grant, ok := grants[token]
			return grant, ok
		}
	})
	for _, route := range g.bridge.routed {
		for method := range route.methods {
			checkRoute(t, g.bridge, route.pattern, method)
		}
	}
}

// checkRoute decides for everybody whether a method is let through, without
// the handler behind it.
func checkRoute(t *testing.T, b *Bridge, pattern, method string) {
	t.Helper()
	path := strings.NewReplacer("{realm}", "local", "{service}", "identity", "{instance}", "a-1", settingName, "GREETING").Replace(pattern)
	_, found, key, err := find(b.routed, method, path)
	if err != nil || found != pattern {
		t.Fatalf("%s %s: found %s, %v", method, path, found, err)
	}
	may, known := allowed[method+" "+pattern]
	if !known && !openPaths[pattern] {
		t.Errorf("%s %s: nothing says who may use it", method, pattern)
	}
	for _, token := range slices.Sorted(maps.Keys(grants)) {
		err := b.authorize(http.Header{"Authorization": {"Bearer " + token}}, found, method, key)
		if want := openPaths[pattern] || slices.Contains(may, token); (err == nil) != want {
			t.Errorf("%s %s by %s: %v", method, pattern, token, err)
		}
	}
	for _, header := range []http.Header{{}, {"Authorization": {"Bearer nobody"}}, {"Authorization": {"Basic reader"}}} {
		if err := b.authorize(header, found, method, key); (err == nil) != openPaths[pattern] {
			t.Errorf("%s %s with %v: %v", method, pattern, header, err)
		}
	}
}

// The same over HTTP, where the status and the problem count.
func TestRefusalsOverHTTP(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Authorize = func(token string) (access.Grant, bool) {
			grant, ok := grants[token]
			return grant, ok
		}
	})
	g.awaitTable()
	tests := []struct {
		method, path, header string
		status               int
	}{
		{"GET", "/health", "", 200},
		{"GET", settingsPath, "", 401},
		{"GET", settingsPath, "Authorization: Bearer nobody", 401},
		{"GET", settingsPath, "Authorization: Bearer reader", 403},
		{"GET", settingsPath, "Authorization: Bearer instance", 200},
		{"HEAD", settingsPath, "Authorization: Bearer reader", 403},
		{"DELETE", settingsPath + "/GREETING", "Authorization: Bearer instance", 403},
		{"DELETE", settingsPath + "/GREETING", "Authorization: Bearer configures", 204},
		{"DELETE", "/nothing", "", 401},
		{"DELETE", "/nothing", "Authorization: Bearer reader", 403},
		{"GET", "/nothing", "Authorization: Bearer reader", 404},
		{"GET", "/call/identity/", "", 407},
		{"GET", "/call/identity/", "Proxy-Authorization: Bearer reader elsewhere", 403},
		{"POST", "/call/identity/", "Proxy-Authorization: Bearer reader", 200},
	}
	for _, tt := range tests {
		var headers []string
		if tt.header != "" {
			headers = append(headers, tt.header)
		}
		g.want(tt.status, g.do(tt.method, tt.path, "", headers...))
	}
}
