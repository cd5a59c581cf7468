package planetest

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// A resolver knows one service.
type resolver struct{ service *registry.Service }

func (r resolver) Resolve(_ context.Context, name string) (*registry.Service, error) {
	if name != r.service.Name {
		return nil, registry.ErrNoSuchService
	}
	return r.service, nil
}

// anotherRealm is named by host where it is allowed, and its own rules count
// there.
func anotherRealm(t *testing.T, make Maker) {
	others := &rig{t: t}
	theirs := registry.NewTable("test", "e").WithInstance(others.serve("identity", "i0", Says("theirs"))).
		WithMeta("identity", registry.Meta{Rules: []registry.Rule{{PathPrefix: "/gone", Split: []registry.Share{{Service: "gone", Weight: 1}}}}}, 9)
	g := start(t, make, Ways{Realms: map[string]registry.Resolver{"test": resolver{theirs.Service("identity")}}})
	g.set(g.serve("identity", "i0", Says("ours")))
	for host, want := range map[string]string{
		"identity.service": "ours /x", "identity.local.service": "ours /x", "Identity.test.service:80": "theirs /x", "identity.test.service.internal": "theirs /x",
	} {
		if res, body := g.get("/x", "Host: "+host); body != want {
			t.Errorf("%s got %d %s", host, res.StatusCode, body)
		}
		if body := g.proxied("http://" + host + "/x"); body != want {
			t.Errorf("as a proxy for %s: %s", host, body)
		}
	}
	if _, body := g.get("/x", "Host: identity.test.service", named("identity")); body != "ours /x" {
		t.Errorf("the header does not win: %s", body)
	}
	res, body := g.get("/gone", "Host: identity.test.service")
	g.isProblem("rules of another realm", res, body, 503, "no-such-service")
	res, body = g.get("/x", "Host: identity.production.service")
	g.isProblem("a realm that is not allowed", res, body, 421, "realm-refused")
	if !strings.Contains(body, "local, test") {
		t.Errorf("a realm that is not allowed got %s", body)
	}
}

// otherHosts pass through a forward proxy where that is allowed, and by tunnels
// too; neither leads to where no instance may be.
func otherHosts(g *rig) {
	g.set(g.serve("identity", "i0", Says("identity")))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Fairlead-Error", "pretended")
		fmt.Fprint(w, "elsewhere ", r.URL.Path, " ", r.Header.Get("Via"), r.Header.Get("X-Forwarded-For"))
	}))
	defer elsewhere.Close()
	for target, want := range map[string]string{elsewhere.URL + "/x": "elsewhere /x 1.1 fairlead", "http://identity.service/x": "identity /x"} {
		if got := g.proxied(target); got != want {
			g.t.Errorf("%s got %s", target, got)
		}
	}
	there := strings.TrimPrefix(elsewhere.URL, "http://")
	if got := g.tunnelled(there); !strings.Contains(got, "elsewhere /y") || !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		g.t.Errorf("through the tunnel came %q", got)
	}
	for line, want := range map[string]int{
		"CONNECT identity.service:443 HTTP/1.1":    403,
		"CONNECT 169.254.169.254:80 HTTP/1.1":      502,
		"GET http://169.254.169.254/meta HTTP/1.1": 502,
	} {
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.Fields(line)[1], "http://"), "/")
		res := g.raw(line + "\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if res == nil || res.StatusCode != want || res.Header.Get("Fairlead-Error") == "" {
			g.t.Errorf("%s got %+v", line, res)
		}
	}
	res, body := g.get("/x", "Host: www.example.com")
	g.isProblem("another host that is not proxied", res, body, 421, "host-refused")
}

// tunnelled asks for a tunnel, for /y at its other end, and returns all that
// came.
func (g *rig) tunnelled(there string) string {
	g.t.Helper()
	conn := g.dial()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", there, there)
	lines := bufio.NewReader(conn)
	status, err := lines.ReadString('\n')
	for line := status; err == nil && line != "\r\n"; {
		line, err = lines.ReadString('\n')
	}
	fmt.Fprintf(conn, "GET /y HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", there)
	rest, _ := io.ReadAll(lines)
	return status + string(rest)
}

// routes: a developer's requests go to one instance, where its service permits
// that, and say so on the way on.
func routes(g *rig) {
	tell := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, id, " ", r.Header.Get("Fairlead-Route")) }
	}
	g.set(g.serve("identity", "a", tell("a")), g.serve("identity", "b", tell("b")), g.serve("identity", "c", tell("c")), g.serve("orders", "a", tell("orders")))
	res, body := g.get("/", named("identity"), "Fairlead-Route: identity=b")
	g.isProblem("a route that is not permitted", res, body, 403, "route-refused")
	g.revision++
	g.table = g.table.WithMeta("identity", registry.Meta{Policy: registry.Policy{RouteOverride: true}}, g.revision)
	g.apply(g.table)
	for range 9 {
		for _, way := range []string{named("identity"), "Host: identity.service"} {
			if _, body := g.get("/", way, "Fairlead-Route: identity=b, other=x"); body != "b identity=b,other=x" {
				g.t.Fatalf("by %s got %s", way, body)
			}
		}
	}
	if _, body := g.get("/", named("orders"), "Fairlead-Route: identity=b"); body != "orders identity=b" {
		g.t.Errorf("another service got %s", body)
	}
	res, body = g.get("/", named("identity"), "Fairlead-Route: identity=d")
	g.isProblem("a route to nobody", res, body, 503, "no-such-instance")
	res, body = g.get("/", named("identity"), "Fairlead-Route: identity")
	g.isProblem("half a route", res, body, 400, "invalid-route")
}

// ownPort: whatever is named there, it is for the one service. Names that a
// stranger may have are refused there too.
func ownPort(t *testing.T, make Maker) {
	g := start(t, make, Ways{Doors: []Door{{Network: "tcp", Address: "127.0.0.1:0", Service: "identity"}}})
	g.addr = g.plane.Doors()[0]
	res, body := g.get("/")
	g.isProblem("before the first table", res, body, 503, "registry-never-seen")
	var seen atomic.Value
	seen.Store("")
	g.table = g.table.WithMeta("identity", registry.Meta{
		Policy: registry.Policy{RouteOverride: true},
		Rules:  []registry.Rule{{PathPrefix: "/orders", Split: []registry.Share{{Service: "orders", Weight: 1}}}},
	}, 9)
	g.revision = 9
	g.set(g.serve("orders", "a", Says("orders")), g.serve("identity", "a", func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Fairlead-Service"))
		Says("identity")(w, r)
	}))
	// One that is older than the rules may have one more request without them.
	g.client.CloseIdleConnections()
	for _, lines := range [][]string{
		{"X-A: b"}, {named("orders")}, {"Host: orders.service"}, {"Host: a.b.c.service"}, {named("orders"), named("other")}, {"Fairlead-Route: identity=a", named("orders")},
		{"X-Forwarded-For: 6.6.6.6"},
	} {
		if res, body := g.get("/x", lines...); body != "identity /x" || seen.Load() != "" {
			t.Errorf("%s got %d %s, and the service saw %q", lines, res.StatusCode, body, seen.Load())
		}
	}
	if _, body := g.get("/orders"); body != "orders /orders" {
		t.Errorf("by its rules got %s", body)
	}
	if body := g.proxied("http://localhost/x"); body != "identity /x" {
		t.Errorf("as a proxy got %s", body)
	}
	for _, lines := range [][]string{{"Host: evil.example.com"}, {"Host: evil.example.com", "Fairlead-Route: identity=a"}} {
		res, body := g.get("/x", lines...)
		g.isProblem("a stranger's host", res, body, 421, "host-refused")
	}
	if res := g.raw("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nConnection: close\r\n\r\n"); res == nil || res.StatusCode != 403 {
		t.Errorf("a tunnel got %+v", res)
	}
}

// socket: it is as the plane's address, for callers who have none.
func socket(t *testing.T, make Maker) {
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	g := start(t, make, Ways{Doors: []Door{{Network: "unix", Address: path}}})
	g.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	g.set(g.serve("identity", "a", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Host"])
	}))
	for _, lines := range [][]string{
		{"Host: localhost", named("identity")}, {"Host: localhost", named("identity"), "X-Forwarded-For: 6.6.6.6"},
		{"Host: localhost", named("identity"), "X-Forwarded-For: 6.6.6.6", "Fairlead-Route: other=x"},
	} {
		if _, body := g.get("/", lines...); body != "[] [localhost]" {
			t.Errorf("%s: a caller without an address is said to come from %s", lines, body)
		}
	}
	if _, body := g.get("/", "Host: identity.service"); body != "[] [identity.service]" {
		t.Errorf("by host got %s", body)
	}
	res, body := g.get("/", "Host: localhost")
	g.isProblem("nothing named", res, body, 400, "service-not-named")
}

// bounded: while as many are at work as there may be, one more waits or is told
// so, and is served once one of them has gone.
func bounded(g *rig) {
	working, finish := make(chan struct{}, 9), make(chan struct{})
	g.set(g.serve("identity", "a", func(http.ResponseWriter, *http.Request) { working <- struct{}{}; <-finish }))
	const ask = "GET / HTTP/1.1\r\nHost: identity.service\r\n\r\n"
	ended := make(chan *http.Response, 2)
	first, second := g.dial(), g.dial()
	asks := func(conn net.Conn) {
		_, _ = io.WriteString(conn, ask)
		go func() {
			res, _ := http.ReadResponse(bufio.NewReader(conn), nil)
			ended <- res
		}()
	}
	asks(first)
	<-working
	asks(second)
	select {
	case <-working:
		g.t.Fatal("a second connection was at work beside the only one there may be")
	case res := <-ended:
		if res == nil || res.Header.Get("Fairlead-Error") != "overloaded" {
			g.t.Fatalf("the second one got %+v", res)
		}
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	g.until("the first is answered", func() bool { return (<-ended).StatusCode == http.StatusOK })
	first.Close()
	second.Close()
	g.until("once the server knows that they have gone, others are served", func() bool {
		res, _ := g.get("/", named("identity"))
		return res.StatusCode == http.StatusOK
	})
}

func (g *rig) dial() net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	return conn
}

// byHTTPS: instances may be, whose certificate is looked at; also by rules.
func byHTTPS(t *testing.T, make Maker) {
	backend := httptest.NewTLSServer(Says("secure"))
	defer backend.Close()
	trust(t, backend.Certificate())
	g := start(t, make, Ways{})
	in := Instance("identity", "a", backend.Listener.Addr().String(), 1)
	in.Scheme = "https"
	impostor := in
	impostor.Service, impostor.Host = "impostor", "localhost"
	to := func(names ...string) registry.Meta {
		rule := registry.Rule{PathPrefix: "/split"}
		for _, name := range names {
			rule.Split = append(rule.Split, registry.Share{Service: name, Weight: 1})
		}
		return registry.Meta{Rules: []registry.Rule{rule}}
	}
	g.table = g.table.WithMeta("orders", to("orders", "identity"), 8).WithMeta("front", to("identity"), 9)
	g.revision = 9
	g.set(in, impostor, g.serve("orders", "a", Says("plain")))
	for _, c := range []struct{ way, path, want string }{
		{named("identity"), "/x", "secure /x"}, {"Host: identity.service", "/x", "secure /x"},
		{named("orders"), "/x", "plain /x"}, {named("front"), "/split", "secure /split"},
	} {
		if res, body := g.get(c.path, c.way); body != c.want {
			t.Errorf("%s%s got %d %s", c.way, c.path, res.StatusCode, body)
		}
	}
	counts := map[string]int{}
	for range 100 {
		_, body := g.get("/split", named("orders"))
		counts[body]++
	}
	if a, b := counts["secure /split"], counts["plain /split"]; a < 20 || b < 20 || a+b != 100 {
		t.Errorf("halves are %v", counts)
	}
	if res, body := g.get("/x", named("impostor")); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one whose certificate is another's got %d %s", res.StatusCode, body)
	}
	in.Enabled = false
	g.set(in)
	res, body := g.get("/x", named("identity"))
	g.isProblem("a disabled one", res, body, 503, "none-enabled")
}

// trust has programs of this process trust a certificate, if it is the first one
// that any of them looks at.
func trust(t *testing.T, cert *x509.Certificate) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
}
