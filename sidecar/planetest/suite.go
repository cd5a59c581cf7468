package planetest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

// Run holds a plane to the contract.
func Run(t *testing.T, make Maker) {
	for _, c := range []struct {
		name string
		test func(*rig)
	}{
		{"ways in", waysIn},
		{"operators", operators},
		{"weights", weights},
		{"own errors", ownErrors},
		{"never seen", neverSeen},
		{"what a service sees", seenByService},
		{"what a service sees by a route", seenByRoute},
		{"what a caller sees", seenByCaller},
		{"unreachable instances", unreachable},
		{"broken answers", brokenAnswers},
		{"streams", streams},
		{"upgrades", upgrades},
		{"trailers", trailers},
		{"large bodies", largeBodies},
		{"large headers", largeHeaders},
		{"ambiguous requests", ambiguous},
		{"rules", rules},
		{"routes", routes},
		{"applied again", appliedAgain},
		{"changes under load", changesUnderLoad},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(start(t, make, Ways{})) })
	}
	t.Run("another realm", func(t *testing.T) { anotherRealm(t, make) })
	t.Run("a service's own port", func(t *testing.T) { ownPort(t, make) })
	t.Run("a socket", func(t *testing.T) { socket(t, make) })
	t.Run("instances by https", func(t *testing.T) { byHTTPS(t, make) })
	t.Run("bounded connections", func(t *testing.T) { bounded(start(t, make, Ways{MaxConnections: 1})) })
	t.Run("zones", func(t *testing.T) { zones(start(t, make, Ways{Zone: "a"})) })
	t.Run("other hosts", func(t *testing.T) { otherHosts(start(t, make, Ways{Others: true})) })
}

func waysIn(g *rig) {
	g.set(g.serve("identity", "i0", Says("identity")), g.serve("orders", "i0", Says("orders")))
	for _, c := range []struct {
		name    string
		headers []string
	}{
		{"header", []string{named("identity")}},
		{"host", []string{"Host: identity.service"}},
		{"host with port", []string{"Host: identity.service:4000"}},
		{"host of the realm", []string{"Host: identity.local.service"}},
		{"long host in any case", []string{"Host: Identity.SERVICE.internal."}},
		{"header wins", []string{named("identity"), "Host: orders.service"}},
	} {
		if _, body := g.get("/users/1?a=1;b=2", c.headers...); body != "identity /users/1?a=1;b=2" {
			g.t.Errorf("by %s: %s", c.name, body)
		}
	}
	for _, host := range []string{"identity.service", "identity.service.internal:80", "IDENTITY.service"} {
		if body := g.proxied("http://" + host + "/users/1?a=1;b=2"); body != "identity /users/1?a=1;b=2" {
			g.t.Errorf("as a proxy for %s: %s", host, body)
		}
	}
	if body := g.proxied("http://identity.service"); body != "identity /" {
		g.t.Errorf("as a proxy without a path: %s", body)
	}
}

// proxied gets a URL through the plane as a forward proxy.
func (g *rig) proxied(target string) string {
	g.t.Helper()
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: g.addr})}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get(target)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

func operators(g *rig) {
	a, b := g.serve("identity", "a", Says("a")), g.serve("identity", "b", Says("b"))
	g.set(a, b)
	if got := g.counts("identity", 20); got["a"] == 0 || got["b"] == 0 {
		g.t.Errorf("of two instances answered %v", got)
	}
	off, leaving := b, b
	off.Enabled, leaving.Status = false, registry.Draining
	for name, in := range map[string]registry.Instance{"disabled": off, "draining": leaving} {
		g.set(in)
		if got := g.counts("identity", 20); got["b"] > 0 {
			g.t.Errorf("an instance that is %s answered %d times", name, got["b"])
		}
		g.set(b)
		// It may be given its share by and by.
		g.until("an instance that was "+name+" answers again", func() bool { return g.counts("identity", 20)["b"] > 0 })
	}
	g.drop(b)
	if got := g.counts("identity", 20); got["b"] > 0 {
		g.t.Errorf("an instance that left answered %d times", got["b"])
	}
}

// unreachable: whoever refuses connections has seen nothing, so any request is
// repeated elsewhere.
func unreachable(g *rig) {
	g.set(g.serve("identity", "a", Says("a")), g.instance("identity", "b", Refusing(g.t)))
	for range 20 {
		req := g.request(http.MethodPost, "/", strings.NewReader("x"), named("identity"))
		if res, body := g.send(req); body != "a /" {
			g.t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
}

// weights: the heavier one gets most, also after a change. How exactly is the
// plane's business: one also looks at how fast instances answer.
func weights(g *rig) {
	a, b := g.serve("identity", "a", Says("a")), g.serve("identity", "b", Says("b"))
	for _, heavy := range []string{"a", "b"} {
		a.Weight, b.Weight = 100, 100
		if heavy == "a" {
			a.Weight = 900
		} else {
			b.Weight = 900
		}
		g.set(a, b)
		g.until("nine tenths of the weight get most requests", func() bool { return g.counts("identity", 200)[heavy] > 120 })
	}
}

// zones: requests stay in the plane's own zone, as long as that has somebody who
// answers.
func zones(g *rig) {
	near, far, other := g.serve("identity", "near", Says("near")), g.serve("identity", "far", Says("far")), g.serve("identity", "other", Says("other"))
	near.Zone, far.Zone = "a", "b"
	g.set(near, far, other)
	g.until("the own zone answers", func() bool { return g.counts("identity", 200)["near"] >= 190 })
	off := near
	off.Enabled = false
	g.set(off)
	g.until("the others answer", func() bool { c := g.counts("identity", 20); return c["near"] == 0 && c["far"] > 0 && c["other"] > 0 })
	g.set(near)
	g.until("the own zone answers again", func() bool { return g.counts("identity", 200)["near"] >= 190 })
	dead := g.instance("identity", "near", Refusing(g.t))
	dead.Zone = "a"
	g.set(dead)
	if c := g.counts("identity", 20); c["far"]+c["other"] != 20 {
		g.t.Errorf("beside a dead one in the own zone answered %v", c)
	}
}

// appliedAgain: a table that says nothing new changes nothing.
func appliedAgain(g *rig) {
	in := g.serve("identity", "a", Says("a"))
	g.set(in)
	for range 3 {
		g.apply(g.table)
		if got := g.counts("identity", 3); got["a"] != 3 {
			g.t.Errorf("answers came from %v", got)
		}
	}
	g.apply(registry.NewTable(Realm, "e"))
	if res, body := g.get("/", named("identity")); res.Header.Get("Fairlead-Error") != "no-such-service" {
		g.t.Errorf("of an empty table %d %s", res.StatusCode, body)
	}
	g.set(in)
	if got := g.counts("identity", 3); got["a"] != 3 {
		g.t.Errorf("answers came from %v", got)
	}
}

// rules: the first that matches sends a request elsewhere, and its target's own
// rules do not count.
func rules(g *rig) {
	g.table = g.table.WithMeta("identity", registry.Meta{Rules: []registry.Rule{
		{PathPrefix: "/search/", Split: []registry.Share{{Service: "finder", Weight: 100}}},
		{Header: registry.HeaderMatch{Name: "X-Beta", Value: "yes -- all"}, Split: []registry.Share{{Service: "next", Weight: 1}}},
		{PathPrefix: "/half", Split: []registry.Share{{Service: "identity", Weight: 50}, {Service: "none", Weight: 0}, {Service: "next", Weight: 50}}},
	}}, 100)
	g.table = g.table.WithMeta("next", registry.Meta{Rules: []registry.Rule{{Split: []registry.Share{{Service: "finder", Weight: 1}}}}}, 101)
	g.revision = 101
	g.set(g.serve("identity", "i0", Says("identity")), g.serve("finder", "i0", Says("finder")), g.serve("next", "i0", Says("next")))
	for _, c := range []struct{ path, header, want string }{
		{"/", "X-A: b", "identity"},
		{"/search", "X-A: b", "finder"},
		{"/search/x?y=/half", "X-Beta: yes -- all", "finder"},
		{"/searching", "X-A: b", "identity"},
		{"/Search", "X-A: b", "identity"},
		{"/%73earch", "X-A: b", "identity"},
		{"/", "x-beta: yes -- all", "next"},
		{"/", "X-Beta: yes", "identity"},
		{"/", "X-Beta: yes -- all, no", "identity"},
	} {
		if _, body := g.get(c.path, named("identity"), c.header); body != c.want+" "+c.path {
			g.t.Errorf("%s with %s got %s", c.path, c.header, body)
		}
	}
	counts := map[string]int{}
	for range 100 {
		_, body := g.get("/half", named("identity"))
		counts[body]++
	}
	if a, b := counts["identity /half"], counts["next /half"]; a < 20 || b < 20 || a+b != 100 {
		g.t.Errorf("halves are %v", counts)
	}
	if _, body := g.get("/", named("next")); body != "finder /" {
		g.t.Errorf("next got %s", body)
	}
	g.table = g.table.WithMeta("identity", registry.Meta{}, 102)
	g.revision = 102
	g.apply(g.table)
	// A connection that is older may have one more request by the old rules.
	g.until("the rules are gone", func() bool {
		_, body := g.get("/search", named("identity"))
		return body == "identity /search"
	})
}
