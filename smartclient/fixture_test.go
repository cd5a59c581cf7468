package smartclient_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realm is a resolver over a table that tests change at will.
type realm struct {
	table atomic.Pointer[registry.Table]
}

func newRealm(instances ...registry.Instance) *realm {
	r := &realm{}
	r.table.Store(registry.NewTable("test", "e1"))
	r.set(instances...)
	return r
}

// set makes these the instances of the service identity.
func (r *realm) set(instances ...registry.Instance) {
	old := r.table.Load()
	r.table.Store(old.WithService("identity", old.Revision.Sequence+1, instances))
}

func (r *realm) Resolve(ctx context.Context, service string) (*registry.Service, error) {
	if s := r.table.Load().Service(service); s != nil {
		return s, nil
	}
	return nil, registry.ErrNoSuchService
}

// at returns an instance with a base URL's address.
func at(id, base string) registry.Instance {
	scheme, addr, _ := strings.Cut(base, "://")
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	port, _ := strconv.Atoi(portText)
	return registry.Instance{
		Service: "identity", ID: id, Scheme: scheme, Host: host, Port: port,
		Weight: 100, Incarnation: id + "-1", Status: registry.Passing, Enabled: true,
	}
}

// in returns an instance moved to a zone. A client of that zone tries it first.
func in(zone string, i registry.Instance) registry.Instance {
	i.Zone = zone
	return i
}

func options(r registry.Resolver) smartclient.Options {
	return smartclient.Options{Realm: "test", Resolver: r, Zone: "here", Logger: slog.New(slog.DiscardHandler)}
}

func newClient(t *testing.T, o smartclient.Options) *smartclient.Client {
	t.Helper()
	c := smartclient.New(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve starts an HTTP server and counts what it saw.
func serve(t *testing.T, h http.HandlerFunc) (base string, seen *atomic.Int64) {
	t.Helper()
	seen = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, seen
}

// echo answers with the request's body. It reads all of it first: a server
// of HTTP/1 closes the body once it begins to answer.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

// serveRaw starts a server that reads each request whole, counts it, and lets
// act do what it likes with the connection.
func serveRaw(t *testing.T, act func(*net.TCPConn, *http.Request)) (base string, seen *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	listeners.Store("http://"+l.Addr().String(), l)
	seen = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveConn(conn.(*net.TCPConn), seen, act)
		}
	}()
	return "http://" + l.Addr().String(), seen
}

// listeners are those of serveRaw, by base URL.
var listeners sync.Map

func listenerOf(t *testing.T, base string) net.Listener {
	t.Helper()
	l, ok := listeners.Load(base)
	if !ok {
		t.Fatalf("nobody listens at %s", base)
	}
	return l.(net.Listener)
}

func serveConn(conn *net.TCPConn, seen *atomic.Int64, act func(*net.TCPConn, *http.Request)) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		seen.Add(1)
		act(conn, req)
	}
}

// reset closes a connection as a killed process's kernel may.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// refusing returns the address of a port that nobody listens on.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// roundTrip is a base without a network, for tests in virtual time.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(req *http.Request, status int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: http.NoBody, Request: req,
	}
}

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return string(data)
}
