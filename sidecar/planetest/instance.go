package planetest

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"fairlead.dev/registry"
)

// Instance returns an instance of a service at an address, ready for requests.
func Instance(service, id, addr string, revision uint64) registry.Instance {
	at := netip.MustParseAddrPort(addr)
	return registry.Instance{
		Service: service, ID: id, Scheme: "http", Host: at.Addr().String(), Port: int(at.Port()),
		Weight: 100, Status: registry.Passing, Enabled: true, Revision: revision, Incarnation: id,
	}
}

// Says answers with a text and the request's target as it came.
func Says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", text, r.RequestURI) }
}

// Refusing returns an address that refuses connections.
func Refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
