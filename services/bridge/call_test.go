package bridge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
	"fairlead.dev/registry/memory"
	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/smartclient"
)

// TestCallReachesWhatWasRegisteredHere: a program registered with one request
// is called with the next, by its name, through the real forwarder.
func TestCallReachesWhatWasRegisteredHere(t *testing.T) {
	reg := memory.New(memory.Options{})
	t.Cleanup(reg.Close)
	quiet := slog.New(slog.DiscardHandler)
	table := follow.New(follow.Options{Source: reg, Realm: "local", Logger: quiet})
	table.Start()
	t.Cleanup(table.Close)
	transport := smartclient.NewTransport(smartclient.Options{Realm: "local", Resolver: table, Retry: smartclient.RetryUnsent, Logger: quiet})
	t.Cleanup(transport.CloseIdleConnections)
	forwarder, err := builtin.NewForwarder(transport, builtin.ForwarderOptions{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	g := newRig(t, func(o *Options) {
		o.Atlas, o.Source, o.Follow, o.Forwarder, o.Resolver = reg, reg, following(reg), forwarder, table
	})
	g.reg = reg
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, body, r.Header.Get("X-Forwarded-Prefix"))
	}))
	t.Cleanup(backend.Close)

	if x := g.want(503, g.do("GET", "/call/identity/users/1", "")); x.header.Get(builtin.ErrorHeader) != "no-such-service" || !strings.Contains(string(x.body), `"processed":"no"`) {
		t.Errorf("before the registration: %s", x.body)
	}
	g.want(201, g.do("PUT", one, registrationOf(t, backend.URL)))
	s := g.stream("local", "")
	s.until(t, "the instance in the table", func(e event) bool { return strings.Contains(e.data, "host001-5000") })
	var x exchange
	for range 1000 { // the caller's own table hears of it in its own time
		if x = g.do("POST", "/call/identity/users/1?a=b", "hello"); x.status == 200 {
			break
		}
	}
	if got := string(x.body); got != "POST /users/1?a=b hello /call/identity" {
		t.Errorf("the service answered %d %s", x.status, got)
	}
	g.want(200, g.do("PUT", one+"/enabled", "false"))
	if c, _ := s.change(t); c.Instance == nil || c.Instance.Enabled {
		t.Errorf("change is %+v", c)
	}
	for range 1000 {
		if x = g.do("GET", "/call/identity/users/1", ""); x.status == 503 {
			break
		}
	}
	if x.header.Get(builtin.ErrorHeader) != "none-enabled" {
		t.Errorf("after it was disabled: %d %s", x.status, x.body)
	}
}

// A bridge is a proxy, so what the rules of a service send elsewhere goes
// there, by the path behind the service's name and by the caller's header.
func TestCallFollowsRules(t *testing.T) {
	table := registry.NewTable("local", "e").WithMeta("identity", registry.Meta{Rules: []registry.Rule{
		{PathPrefix: "/search", Split: []registry.Share{{Service: "finder", Weight: 1}}},
		{Header: registry.HeaderMatch{Name: "X-Cohort", Value: "early"}, Split: []registry.Share{{Service: "next", Weight: 1}}},
	}}, 1)
	table = table.WithService("identity", 2, []registry.Instance{{Service: "identity", ID: "a", Enabled: true, Status: registry.Passing}})
	g := newRig(t, func(o *Options) { o.Resolver = known{table} })
	for _, tc := range []struct {
		path string
		head []string
		want string
	}{
		{"/call/identity/search/x?q=1", nil, `"service":"finder"`},
		{"/call/identity/search/x?q=1", nil, `"path":"/search/x","query":"q=1"`},
		{"/call/identity/searching", nil, `"service":"identity"`},
		{"/call/identity/users", []string{"X-Cohort: early"}, `"service":"next"`},
		{"/call/identity", nil, `"service":"identity"`},
	} {
		if x := g.want(200, g.do("GET", tc.path, "", tc.head...)); !strings.Contains(string(x.body), tc.want) {
			t.Errorf("%s: got %s, want %s", tc.path, x.body, tc.want)
		}
	}
	if x := g.do("GET", "/call/nobody/", ""); x.status != 503 || !strings.Contains(string(x.body), "nobody: ") {
		t.Errorf("of nobody: %d %s", x.status, x.body)
	}
}

// known resolves by a table that stays as it is.
type known struct{ table *registry.Table }

func (k known) Resolve(_ context.Context, service string) (*registry.Service, error) {
	if s := k.table.Service(service); s != nil {
		return s, nil
	}
	return nil, registry.ErrNoSuchService
}

func registrationOf(t *testing.T, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(u.Host)
	return fmt.Sprintf(`{"host":%q,"port":%d}`, addr.Addr(), addr.Port())
}
