package smartclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

func TestParseRoutes(t *testing.T) {
	for text, want := range map[string]smartclient.Routes{
		"":                                   {},
		"identity=alice-1":                   {"identity": "alice-1"},
		" identity=alice-1 ,\tbilling=b-2,,": {"identity": "alice-1", "billing": "b-2"},
		"identity=a,identity=a":              {"identity": "a"},
	} {
		got, err := smartclient.ParseRoutes(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprintf("s%d=i", i)
	}
	for text, want := range map[string]string{
		"identity":                            `Fairlead-Route: must be service=instance, as in identity=alice-1, got "identity"`,
		"identity=":                           "Fairlead-Route: must not be empty",
		"identity=Alice":                      "Fairlead-Route: ",
		"a=b=c":                               "Fairlead-Route: ",
		"identity=a,identity=b":               "Fairlead-Route: must name one instance of identity, names a and b",
		strings.Join(many, ","):               "Fairlead-Route: must name at most 32 services, names 33",
		"a=b," + strings.Repeat("a=b,", 1100): "Fairlead-Route: must be at most 4096 bytes, has 4404",
	} {
		if _, err := smartclient.ParseRoutes(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
}

// Whatever is accepted means the same when it is carried on.
func FuzzParseRoutes(f *testing.F) {
	f.Add("identity=alice-1, billing=bob-2")
	f.Add("a=b,,a=b;x")
	f.Add("=,\x00=\n")
	f.Fuzz(func(t *testing.T, text string) {
		routes, err := smartclient.ParseRoutes(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error has more than a line: %q", err)
			}
			return
		}
		again, err := smartclient.ParseRoutes(routes.String())
		if err != nil || !maps.Equal(again, routes) {
			t.Errorf("%q means %v, then %v, %v", text, routes, again, err)
		}
		for service, instance := range routes {
			if registry.ValidateName("", service) != nil || registry.ValidateName("", instance) != nil {
				t.Errorf("accepted %q=%q", service, instance)
			}
		}
	})
}

// routable returns a client of a service whose instances answer with their id
// and the routes that they were sent.
func routable(t *testing.T, allowed bool) *smartclient.Client {
	t.Helper()
	var list []registry.Instance
	for _, id := range []string{"host-1", "alice-1", "off-1"} {
		base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, id+" "+r.Header.Get(smartclient.RouteHeader))
		})
		list = append(list, at(id, base))
	}
	list[0].Zone, list[2].Enabled = "here", false
	r := newRealm(list...)
	r.table.Store(r.table.Load().WithMeta("identity", registry.Meta{Policy: registry.Policy{RouteOverride: allowed}}, 9))
	return newClient(t, options(r))
}

func TestRoutes(t *testing.T) {
	for name, tc := range map[string]struct {
		context smartclient.Routes
		header  []string
		want    string
	}{
		"none":                       {nil, nil, "host-1 "},
		"by header":                  {nil, []string{"identity=alice-1"}, "alice-1 identity=alice-1"},
		"by context":                 {smartclient.Routes{"identity": "alice-1"}, nil, "alice-1 identity=alice-1"},
		"of another service":         {smartclient.Routes{"billing": "bob-1"}, nil, "host-1 billing=bob-1"},
		"by two headers":             {nil, []string{"billing=bob-1", "identity=alice-1"}, "alice-1 billing=bob-1,identity=alice-1"},
		"the header before the rest": {smartclient.Routes{"identity": "host-1", "billing": "b"}, []string{"identity=alice-1"}, "alice-1 billing=b,identity=alice-1"},
	} {
		t.Run(name, func(t *testing.T) {
			req := getting(t, "/")
			req = req.WithContext(smartclient.WithRoutes(req.Context(), tc.context))
			req.Header[smartclient.RouteHeader] = tc.header
			resp, err := routable(t, true).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRefusedRoutes(t *testing.T) {
	for name, tc := range map[string]struct {
		allowed bool
		route   string
		want    error
		says    string
	}{
		"not permitted": {false, "identity=alice-1", smartclient.ErrRouteRefused, "Fairlead-Route: identity=alice-1: route override is not permitted by the service's policy (route_override)"},
		"not there":     {true, "identity=bob-1", smartclient.ErrNoSuchInstance, "no such instance: it is not registered"},
		"disabled":      {true, "identity=off-1", smartclient.ErrNoSuchInstance, "it is disabled, draining or critical"},
	} {
		t.Run(name, func(t *testing.T) {
			req := getting(t, "/")
			req.Header.Set(smartclient.RouteHeader, tc.route)
			_, err := routable(t, tc.allowed).Do(req)
			var e *smartclient.Error
			if !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Processed || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("not to be read", func(t *testing.T) {
		req := getting(t, "/")
		req.Header.Set(smartclient.RouteHeader, "alice")
		if _, err := routable(t, true).Do(req); err == nil || !strings.Contains(err.Error(), "Fairlead-Route: must be service=instance") {
			t.Errorf("got %v", err)
		}
	})
}

// A route that does not permit the service's balancing does not permit its
// retries elsewhere either.
func TestRoutedRequestsStayWhereTheyAreSent(t *testing.T) {
	bad, badSeen := serveRaw(t, status("503 Busy"))
	good, goodSeen := serve(t, echo)
	r := newRealm(at("alice-1", bad), at("host-1", good))
	r.table.Store(r.table.Load().WithMeta("identity", registry.Meta{Policy: registry.Policy{RouteOverride: true}}, 9))
	req := getting(t, "/")
	req.Header.Set(smartclient.RouteHeader, "identity=alice-1")
	resp, err := newClient(t, options(r)).Do(req)
	if err != nil || resp.StatusCode != 503 || badSeen.Load() != 1 || goodSeen.Load() != 0 {
		t.Errorf("got %v, %v, seen %d and %d", resp, err, badSeen.Load(), goodSeen.Load())
	}
}

func TestRoutesAddUpInContexts(t *testing.T) {
	ctx := smartclient.WithRoutes(context.Background(), smartclient.Routes{"a": "1", "b": "1"})
	ctx = smartclient.WithRoutes(smartclient.WithRoutes(ctx, nil), smartclient.Routes{"b": "2"})
	if got := smartclient.RoutesOf(ctx).String(); got != "a=1,b=2" {
		t.Errorf("got %s", got)
	}
	if smartclient.RoutesOf(context.Background()) != nil {
		t.Error("a bare context has routes")
	}
}

func ExampleWithRoutes() {
	ctx := smartclient.WithRoutes(context.Background(), smartclient.Routes{"identity": "alice-1"})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "service://identity/users/1", nil)
	fmt.Println(smartclient.RoutesOf(req.Context()))
	// Output: identity=alice-1
}
