package connect_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"fairlead.dev/bus"
	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

func closeDefault(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if err := connect.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestFunctionsFindTheBus(t *testing.T) {
	c := startControl(t)
	r := c.register(c.open(connect.Options{}), registry.Key{Realm: "local", Service: "identity", Instance: "i-1"})
	c.must(r.Registered(t.Context()))
	t.Setenv(bus.EnvURL, c.server.ClientURL())
	closeDefault(t)
	body := func() io.Reader { return strings.NewReader("x") }
	const url = "service://identity/"
	for name, call := range map[string]func() (*http.Response, error){
		"Get":      func() (*http.Response, error) { return connect.Get(url) },
		"Head":     func() (*http.Response, error) { return connect.Head(url) },
		"Post":     func() (*http.Response, error) { return connect.Post(url, "text/plain", body()) },
		"PostForm": func() (*http.Response, error) { return connect.PostForm(url, nil) },
		"Put":      func() (*http.Response, error) { return connect.Put(url, "text/plain", body()) },
		"Delete":   func() (*http.Response, error) { return connect.Delete(url) },
		"Do":       func() (*http.Response, error) { return connect.Do(c.request(url)) },
		"Go":       func() (*http.Response, error) { return connect.Go(t.Context(), c.request(url)).Wait() },
	} {
		resp, err := call()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	if first, second := connect.Default(), connect.Default(); first != second {
		t.Error("the default client changes")
	}
}

// The default client explains by the table that it follows.
func TestDefaultExplains(t *testing.T) {
	c := startControl(t)
	r := c.register(c.open(connect.Options{}), registry.Key{Realm: "local", Service: "identity", Instance: "i-1"})
	c.must(r.Registered(t.Context()))
	t.Setenv(bus.EnvURL, c.server.ClientURL())
	closeDefault(t)
	x, err := connect.Default().Explain(t.Context(), "identity")
	c.must(err)
	if x.In != 1 || x.Revision.Sequence == 0 || x.Source != registry.Live {
		t.Errorf("explained as %+v", x)
	}
}

// Calls stay in the zone that the environment names.
func TestTheZoneIsTheEnvironments(t *testing.T) {
	c := startControl(t)
	for _, zone := range []string{"a", "b"} {
		as := c.identity()
		as.Zone = zone
		r := c.registerAs(c.open(connect.Options{}), registry.Key{Realm: "local", Service: "identity", Instance: "in-" + zone}, as)
		c.must(r.Registered(t.Context()))
	}
	t.Setenv(bus.EnvURL, c.server.ClientURL())
	t.Setenv(connect.EnvZone, "b")
	closeDefault(t)
	for name, client := range map[string]*smartclient.Client{"default": connect.Default(), "a session's": c.open(connect.Options{}).Client()} {
		resp, err := client.Get("service://identity/")
		c.must(err)
		c.must(resp.Body.Close())
		x, err := client.Explain(t.Context(), "identity")
		c.must(err)
		if len(x.Instances) != 2 || x.Instances[0].In || !x.Instances[1].In {
			t.Errorf("%s: explained as %+v", name, x)
		}
	}
}

func (c *control) request(url string) *http.Request {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), "GET", url, nil)
	c.must(err)
	return req
}

// Bad settings are told, and what was mended counts.
func TestDefaultTellsWhatIsWrong(t *testing.T) {
	closeDefault(t)
	t.Setenv(connect.EnvRealm, "Bad Realm")
	if _, err := connect.Get("service://identity/"); err == nil || !strings.Contains(err.Error(), "realm") {
		t.Errorf("got %v, want what is wrong with the realm", err)
	}
	if _, err := connect.Default().Explain(t.Context(), "identity"); err == nil || !strings.Contains(err.Error(), "realm") {
		t.Errorf("explained with %v, want what is wrong with the realm", err)
	}
}

// With a sidecar no bus is asked for.
func TestFunctionsUseTheSidecar(t *testing.T) {
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Fairlead-Service"))
	}))
	t.Cleanup(sidecar.Close)
	closeDefault(t)
	t.Setenv(smartclient.EnvSidecar, sidecar.URL)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv(bus.EnvURL, "nats://"+l.Addr().String())
	resp, err := connect.Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "identity" {
		t.Errorf("got %q", text)
	}
}

// exampleSidecar stands in for what the environment names.
func exampleSidecar() func() {
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s%s %s", r.Method, r.Header.Get("Fairlead-Service"), r.URL.Path, body)
	}))
	_ = os.Setenv(smartclient.EnvSidecar, sidecar.URL)
	return func() {
		_ = connect.Close(context.Background())
		_ = os.Unsetenv(smartclient.EnvSidecar)
		sidecar.Close()
	}
}

func show(resp *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Println(strings.TrimSpace(string(text)))
}

func ExampleGet() {
	defer exampleSidecar()()
	show(connect.Get("service://identity/users/1"))
	// Output: GET identity/users/1
}

func ExamplePostForm() {
	defer exampleSidecar()()
	show(connect.PostForm("service://identity/users", url.Values{"name": {"anna"}}))
	// Output: POST identity/users name=anna
}

// Default is the client itself, for what takes one.
func ExampleDefault() {
	defer exampleSidecar()()
	ctx := context.Background()
	text := smartclient.FanOut(ctx, 2, []string{"1", "2"}, func(ctx context.Context, id string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "service://identity/users/"+id, nil)
		if err != nil {
			return 0, err
		}
		resp, err := connect.Default().Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	})
	fmt.Println(text)
	// Output: [{200 <nil>} {200 <nil>}]
}
