// Package clients has the HTTP clients that are measured beside each other, a
// file for each. All find the same [Fleet], each in its own way, and all use
// transports with the same limits.
//
//	for _, s := range clients.All() {
//		client, err := s.Open(fleet)
//		resp, err := client.Do(client.Request(ctx, "GET", "/users/1", nil))
//		client.Close()
//	}
package clients

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// A System is one kind of client.
type System struct {
	Name string
	// Module is where it comes from, for its version.
	Module string
	// Peer tells that it is what ours is compared with.
	Peer bool
	open func(*Fleet) (Client, error)
}

// A Client sends requests to the fleet.
type Client struct {
	// Base is the beginning of every URL.
	Base  string
	Do    func(*http.Request) (*http.Response, error)
	close func()
}

// Open returns a new client of the system.
func (s System) Open(f *Fleet) (Client, error) { return s.open(f) }

// Close gives the client's connections back.
func (c Client) Close() {
	if c.close != nil {
		c.close()
	}
}

// Send sends a request and reads its answer to the end.
func (c Client) Send(ctx context.Context, method, path string, body io.Reader) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, err
}

// The names of the systems.
const (
	Plain         = "plain"
	RoundRobin    = "round-robin"
	Fairlead      = "fairlead"
	FairleadBare  = "fairlead-bare"
	FairleadTrace = "fairlead-traced"
	OTelHTTP      = "otelhttp"
	Failsafe      = "failsafe-go"
	Retryable     = "retryablehttp"
	Kratos        = "kratos"
)

// All returns every system. The first is what others are measured against.
func All() []System {
	return []System{
		{Name: Plain, open: plain},
		{Name: FairleadBare, open: bare},
		{Name: Fairlead, open: fairlead},
		{Name: FairleadTrace, open: traced},
		{Name: OTelHTTP, Module: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", Peer: true, open: instrumented},
		{Name: RoundRobin, open: roundRobin},
		{Name: Failsafe, Module: "github.com/failsafe-go/failsafe-go", Peer: true, open: failsafely},
		{Name: Retryable, Module: "github.com/hashicorp/go-retryablehttp", Peer: true, open: retryably},
		{Name: Kratos, Module: "github.com/go-kratos/kratos/v2", Peer: true, open: kratos},
	}
}

// Version says which version of a system this program has.
func (s System) Version() string {
	info, ok := debug.ReadBuildInfo()
	if s.Module == "" || !ok {
		return map[bool]string{true: "net/http", false: "this tree"}[s.Name == Plain || s.Name == RoundRobin]
	}
	for _, m := range info.Deps {
		if m.Path == s.Module {
			return m.Version
		}
	}
	return "unknown"
}

// newTransport has the limits that smartclient gives its own.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 4 * time.Second, DisableCompression: true,
	}
}

func clientOf(base string, inner http.RoundTripper, t *http.Transport) Client {
	c := &http.Client{Transport: inner}
	return Client{Base: base, Do: c.Do, close: t.CloseIdleConnections}
}
