package builtin

import (
	"fmt"
	"net/http"
	"testing"

	"fairlead.dev/registry"
)

// A developer's requests go to one instance, and say so on the way on.
func TestRoutesSendToOneInstance(t *testing.T) {
	g := start(t, nil)
	var all []http.HandlerFunc
	for i := range 5 {
		all = append(all, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, i, " ", r.Header.Get("Fairlead-Route")) })
	}
	table := g.serve(map[string][]http.HandlerFunc{"identity": all})
	g.apply(table.WithMeta("identity", registry.Meta{Policy: registry.Policy{RouteOverride: true}}, 99))
	for range 10 {
		if _, body := g.get("/", "Fairlead-Service: identity", "Fairlead-Route: identity=i3, other=x"); body != "3 identity=i3,other=x" {
			t.Fatalf("got %q", body)
		}
	}
}
