package smartclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// startIdentity stands in for a service and for the registry that knows it.
func startIdentity() (registry.Resolver, func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body)))
	}))
	return newRealm(at("host001-5000", server.URL)), server.Close
}

func show(resp *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Print(string(body))
}

func Example() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	defer client.CloseIdleConnections()

	show(client.Get("service://identity/users/1"))
	show(client.Post("service://identity/users", "text/plain", strings.NewReader("anna")))
	show(client.PostForm("service://identity/users", url.Values{"name": {"anna"}}))
	show(client.Put("service://identity/users/1", "text/plain", strings.NewReader("anna")))
	show(client.Delete("service://identity/users/1"))
	resp, err := client.Head("service://identity/users/1")
	fmt.Println(resp.StatusCode, err)
	// Output:
	// GET /users/1
	// POST /users anna
	// POST /users name=anna
	// PUT /users/1 anna
	// DELETE /users/1
	// 200 <nil>
}

// A request's context bounds all attempts and pauses together.
func ExampleClient_Do() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	defer client.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "service://identity/users/1", nil)
	show(client.Do(req))
	// Output: GET /users/1
}

// A Transport gives any http.Client the names of services.
func ExampleNewTransport() {
	resolver, stop := startIdentity()
	defer stop()
	transport := smartclient.NewTransport(smartclient.Options{Realm: "local", Resolver: resolver})
	defer transport.CloseIdleConnections()

	client := &http.Client{Transport: transport}
	show(client.Get("service://identity/users/1"))
	// Output: GET /users/1
}

// A proxy repeats only what was never sent.
func ExampleRetryMode() {
	resolver, stop := startIdentity()
	defer stop()
	transport := smartclient.NewTransport(smartclient.Options{
		Realm: "local", Resolver: resolver, Retry: smartclient.RetryUnsent,
	})
	defer transport.CloseIdleConnections()

	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "service", Host: "identity"}) },
	}
	answer := httptest.NewRecorder()
	proxy.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/users/1", nil))
	fmt.Print(answer.Body)
	// Output: GET /users/1
}

// An error tells what was tried, and whether it is safe to send again.
func ExampleError() {
	resolver, stop := startIdentity()
	stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver, MaxAttempts: 1})

	_, err := client.Post("service://identity/users", "text/plain", strings.NewReader("anna"))
	var e *smartclient.Error
	if errors.As(err, &e) {
		fmt.Println(e.Service, e.Realm, len(e.Attempts), e.Attempts[0].Instance, e.Processed)
	}
	_, err = client.Get("service://unknown/")
	fmt.Println(errors.Is(err, registry.ErrNoSuchService))
	fmt.Println(err)
	// Output:
	// identity local 1 host001-5000 false
	// true
	// Get "service://unknown/": service unknown in realm local: no such service
}

func ExampleJar() {
	jar, _ := cookiejar.New(nil)
	client := smartclient.New(smartclient.Options{})
	client.HTTPClient().Jar = smartclient.Jar(jar)

	home, _ := url.Parse("service://identity/")
	client.HTTPClient().Jar.SetCookies(home, []*http.Cookie{{Name: "session", Value: "s1"}})
	fmt.Println(client.HTTPClient().Jar.Cookies(home))
	// Output: [session=s1]
}

// Go sends requests in the background; All waits for every one of them.
func ExampleClient_Go() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	defer client.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var futures []*smartclient.Future
	for _, path := range []string{"/users/1", "/users/2"} {
		req, _ := http.NewRequest(http.MethodGet, "service://identity"+path, nil)
		futures = append(futures, client.Go(ctx, req))
	}
	answers, err := smartclient.All(futures...)
	for _, answer := range answers {
		show(answer, err)
	}
	// Output:
	// GET /users/1
	// GET /users/2
}

// First takes whichever answers well first, and cancels the rest.
func ExampleFirst() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	defer client.CloseIdleConnections()

	ctx := context.Background()
	known, _ := http.NewRequest(http.MethodGet, "service://identity/users/1", nil)
	unknown, _ := http.NewRequest(http.MethodGet, "service://unknown/users/1", nil)
	show(smartclient.First(client.Go(ctx, unknown), client.Go(ctx, known)))
	// Output: GET /users/1
}

// FanOut makes many calls, a few at a time, each with a result of its own.
func ExampleFanOut() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	defer client.CloseIdleConnections()

	names := []string{"identity", "unknown"}
	results := smartclient.FanOut(context.Background(), 8, names, func(ctx context.Context, service string) (int, error) {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "service://"+service+"/", nil)
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	})
	for i, result := range results {
		fmt.Println(names[i], result.Value, errors.Is(result.Err, registry.ErrNoSuchService))
	}
	// Output:
	// identity 200 false
	// unknown 0 true
}

// A handler that is not a smart service's heeds what its caller says.
func ExampleInbound() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		ctx, served := smartclient.Inbound(r)
		defer served()
		_, bound := ctx.Deadline()
		fmt.Println("the caller waits for a limited time:", bound)
	}
	r := httptest.NewRequest("GET", "/users/1", nil)
	r.Header.Set(smartclient.HeaderTimeout, "1500")
	handler(httptest.NewRecorder(), r)
	// Output: the caller waits for a limited time: true
}
