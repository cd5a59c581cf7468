package route

import (
	"net/http"
	"net/url"
	"testing"

	"fairlead.dev/registry"
)

func TestTarget(t *testing.T) {
	for _, c := range []struct {
		name, method, target, host string
		header                     []string
		service                    string // or realm/service, or the host of another
		status                     int
		front                      Front
	}{
		{name: "header", host: "127.0.0.1:4000", header: []string{"identity"}, service: "identity"},
		{name: "header with blanks", host: "localhost:4000", header: []string{" identity "}, service: "identity"},
		{name: "header over host", host: "orders.service", header: []string{"identity"}, service: "identity"},
		{name: "header over proxied host", target: "http://www.example.com/", host: "www.example.com", header: []string{"identity"}, service: "identity"},
		{name: "header at container's name", host: "sidecar:4000", header: []string{"identity"}, service: "identity"},
		{name: "header at configured name", host: "proxy.example.com", header: []string{"identity"}, service: "identity"},
		{name: "header at IPv6", host: "[::1]:4000", header: []string{"identity"}, service: "identity"},
		{name: "header at public name", host: "www.example.com", header: []string{"identity"}, status: 421},
		{name: "host", host: "identity.service", service: "identity"},
		{name: "long host", host: "IDENTITY.service.internal:80", service: "identity"},
		{name: "proxied", target: "http://identity.service/x", host: "identity.service", service: "identity"},
		{name: "proxied other", target: "http://www.example.com/x", host: "www.example.com", status: 403},
		{name: "connect", method: "CONNECT", host: "identity.service:443", status: 403},
		{name: "bare service", host: ".service", status: 400},
		{name: "the domain", host: "service", status: 421},
		{name: "dots", host: "a.b.c.service", status: 400},
		{name: "own realm", host: "a.local.service", service: "a"},
		{name: "another realm", host: "a.test.service", status: 421},
		{name: "another realm by proxy", target: "http://a.test.service/", host: "a.test.service", status: 403},
		{name: "a realm that is allowed", host: "a.test.service.internal:80", front: Front{Realms: []string{"test"}}, service: "test/a"},
		{name: "header at another realm's host", host: "a.test.service", header: []string{"b"}, front: Front{Realms: []string{"test"}}, service: "b"},
		{name: "nobody in a realm", host: ".test.service", front: Front{Realms: []string{"test"}}, status: 400},
		{name: "others by proxy", target: "http://www.example.com:81/", host: "www.example.com:81", front: Front{Others: true}, service: "www.example.com:81"},
		{name: "others by host", host: "www.example.com", front: Front{Others: true}, status: 421},
		{name: "a tunnel to others", method: "CONNECT", host: "www.example.com:443", front: Front{Others: true}, service: "www.example.com:443"},
		{name: "a tunnel to a service", method: "CONNECT", host: "identity.service:443", front: Front{Others: true}, status: 403},
		{name: "a service before others", target: "http://identity.service/x", host: "identity.service", front: Front{Others: true}, service: "identity"},
		{name: "own port", host: "127.0.0.1:4100", front: Front{Service: "orders"}, service: "orders"},
		{name: "own port over header", host: "localhost:4100", header: []string{"identity"}, front: Front{Service: "orders"}, service: "orders"},
		{name: "own port of a stranger", host: "www.example.com", front: Front{Service: "orders"}, status: 421},
		{name: "own port, tunnel", method: "CONNECT", host: "localhost:443", front: Front{Service: "orders"}, status: 403},
		{name: "upper case in header", host: "127.0.0.1", header: []string{"Identity"}, status: 400},
		{name: "empty header", host: "identity.service", header: []string{""}, status: 400},
		{name: "two headers", host: "127.0.0.1", header: []string{"a", "b"}, status: 400},
		{name: "nothing", host: "127.0.0.1:4000", status: 400},
		{name: "no host", status: 400},
		{name: "localhost", host: "localhost:4000", status: 400},
		{name: "other name", host: "www.example.com", status: 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(c.target)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Method: c.method, URL: u, Host: c.host, Header: http.Header{}}
			if c.header != nil {
				r.Header[ServiceHeader] = c.header
			}
			c.front.Realm, c.front.Hosts = "local", []string{"proxy.example.com"}
			got, refusal := c.front.Target(r)
			switch {
			case refusal == nil && c.status != 0, refusal != nil && refusal.Status != c.status:
				t.Errorf("got %+v, %+v, want status %d", got, refusal, c.status)
			case written(got) != c.service:
				t.Errorf("got %+v, want %q", got, c.service)
			}
		})
	}
}

func written(t Target) string {
	if t.Realm == "local" || t.Realm == "" {
		return t.Service + t.Host
	}
	return t.Realm + "/" + t.Service
}

func FuzzTarget(f *testing.F) {
	f.Add("identity.service:80", "identity")
	f.Add("[::1", "")
	f.Fuzz(func(t *testing.T, host, header string) {
		r := &http.Request{URL: &url.URL{Path: "/"}, Host: host, Header: http.Header{}}
		if header != "" {
			r.Header.Set(ServiceHeader, header)
		}
		got, refusal := Front{Realm: "local", Realms: []string{"test"}}.Target(r)
		if (got == Target{}) == (refusal == nil) {
			t.Fatalf("got %+v and %+v", got, refusal)
		}
		if refusal == nil && (registry.ServiceKey{Realm: got.Realm, Service: got.Service}).Validate() != nil {
			t.Fatalf("%+v is no service", got)
		}
	})
}
