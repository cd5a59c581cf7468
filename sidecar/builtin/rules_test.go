package builtin

import (
	"net/http"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

func TestRulesOfTheNamedServiceAreFollowed(t *testing.T) {
	g := start(t, nil)
	table := g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("identity")}, "finder": {planetest.Says("finder")}, "next": {planetest.Says("next")}})
	table = table.WithMeta("identity", registry.Meta{Rules: []registry.Rule{
		{PathPrefix: "/search", Split: []registry.Share{{Service: "finder", Weight: 100}}},
		{Header: registry.HeaderMatch{Name: "X-Cohort", Value: "early"}, Split: []registry.Share{{Service: "next", Weight: 1}}},
	}}, 20)
	// A target's own rules are not followed, and a service of rules alone is one.
	table = table.WithMeta("finder", registry.Meta{Rules: []registry.Rule{{Split: []registry.Share{{Service: "next", Weight: 1}}}}}, 21)
	g.apply(table.WithMeta("front", registry.Meta{Rules: []registry.Rule{{Split: []registry.Share{{Service: "next", Weight: 1}}}}}, 22))
	for _, c := range []struct{ service, path, header, want string }{
		{"identity", "/users", "X-A: b", "identity /users"},
		{"identity", "/search/x", "X-A: b", "finder /search/x"},
		{"identity", "/users", "X-Cohort: early", "next /users"},
		{"finder", "/users", "X-A: b", "next /users"},
		{"front", "/users", "X-A: b", "next /users"},
	} {
		if res, body := g.get(c.path, "Fairlead-Service: "+c.service, c.header); body != c.want {
			t.Errorf("%+v: got %d %s", c, res.StatusCode, body)
		}
	}
}
