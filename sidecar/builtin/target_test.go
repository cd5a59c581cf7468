package builtin

import (
	"net/http"
	"net/url"
	"testing"
)

func TestServiceOf(t *testing.T) {
	for _, c := range []struct {
		name, method, target, host string
		header                     []string
		service                    string
		status                     int
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
		{name: "dots", host: "a.b.service", status: 400},
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
			service, refusal := serviceOf(r, []string{"proxy.example.com"})
			switch {
			case refusal == nil && c.status != 0, refusal != nil && refusal.Status != c.status:
				t.Errorf("got %q, %+v, want status %d", service, refusal, c.status)
			case service != c.service:
				t.Errorf("service is %q, want %q", service, c.service)
			}
		})
	}
}

func FuzzServiceOf(f *testing.F) {
	f.Add("identity.service:80", "identity")
	f.Add("[::1", "")
	f.Fuzz(func(t *testing.T, host, header string) {
		r := &http.Request{URL: &url.URL{Path: "/"}, Host: host, Header: http.Header{}}
		if header != "" {
			r.Header.Set(ServiceHeader, header)
		}
		service, refusal := serviceOf(r, nil)
		if (service == "") == (refusal == nil) {
			t.Fatalf("got %q and %+v", service, refusal)
		}
	})
}

func TestHops(t *testing.T) {
	h := http.Header{"Via": {"1.1 fairlead, 1.0 edge (fairlead)", "2.0 fairlead , HTTP/1.1 other", "fairlead"}}
	if n := hops(h); n != 2 {
		t.Errorf("hops are %d", n)
	}
}
