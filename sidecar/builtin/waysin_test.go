package builtin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

func listenOn(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("identity")}})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	g.client.Transport.(*http.Transport).Protocols = &protocols
	res, body := g.get("/x", "Fairlead-Service: identity")
	if res.ProtoMajor != 2 || body != "identity /x" {
		t.Errorf("got %s %d %s", res.Proto, res.StatusCode, body)
	}
	if res, _ := g.get("/x"); res.StatusCode != 400 || res.Header.Get(ErrorHeader) != "service-not-named" {
		t.Errorf("got %d", res.StatusCode)
	}
}

// TestConnectionsAreBounded: where all are at work one more is told so, and the
// sidecar tells of itself all the same.
func TestConnectionsAreBounded(t *testing.T) {
	own := http.NewServeMux()
	own.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "well") })
	g := start(t, func(o *Options) { o.MaxConnections, o.Own = 1, own })
	busy, rest := make(chan struct{}), make(chan struct{})
	g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("identity")}, "work": {func(http.ResponseWriter, *http.Request) {
		close(busy)
		<-rest
	}}})
	defer close(rest)
	first := dial(t, g.addr)
	fmt.Fprint(first, "GET / HTTP/1.1\r\nHost: localhost\r\nFairlead-Service: work\r\n\r\n")
	<-busy
	res, body := g.get("/x", "Fairlead-Service: identity")
	if res.StatusCode != 503 || res.Header.Get(ErrorHeader) != "overloaded" || res.Header.Get("Retry-After") != "1" || !res.Close || !strings.Contains(body, `"processed":"no"`) {
		t.Errorf("one more got %d %v %s", res.StatusCode, res.Header, body)
	}
	if res, body := g.get("/status", "Host: localhost"); res.StatusCode != 200 || body != "well" || !res.Close {
		t.Errorf("who asked for the sidecar got %d %s", res.StatusCode, body)
	}
}

func TestRequestsThatCannotBeReadGetProblems(t *testing.T) {
	g := start(t, nil)
	lines := strings.Repeat("X-A: b\r\n", maxHeaderLines)
	for what, c := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"no host":   {"GET / HTTP/1.1\r\n\r\n", 400, "invalid-request"},
		"bad field": {"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", 400, "invalid-request"},
		"too large": {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", 431, "header-too-large"},
		"too many":  {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + "\r\n", 431, "header-too-large"},
	} {
		conn := dial(t, g.addr)
		_, _ = io.WriteString(conn, c.request)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != c.status || res.Header.Get(ErrorHeader) != c.code || !strings.Contains(string(body), `"processed":"no"`) {
			t.Errorf("%s: got %d %v %s, %v", what, res.StatusCode, res.Header, body, err)
		}
	}
}

func TestAPolicyCutsNoStreams(t *testing.T) {
	g := start(t, nil)
	table := g.serve(map[string][]http.HandlerFunc{"identity": {upgrading}})
	const timeout = 50 * time.Millisecond
	g.apply(table.WithMeta("identity", registry.Meta{Policy: registry.Policy{Timeout: registry.Duration(timeout)}}, 9))
	conn, lines := g.upgrade(t)
	<-time.After(2 * timeout)
	_, _ = io.WriteString(conn, "still there\n")
	if got, err := lines.ReadString('\n'); err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
