package builtin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/internal/logtest"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
	"fairlead.dev/sidecar/problem"
	"fairlead.dev/sidecar/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// A rig is a plane on a real socket.
type rig struct {
	t      *testing.T
	plane  *Plane
	addr   string
	client *http.Client
	cancel context.CancelFunc
	ended  chan error
	log    *logtest.Text
}

func start(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &logtest.Text{}
	opts := Options{Realm: "local", Listener: listener, Logger: slog.New(slog.NewTextHandler(log, nil))}
	if change != nil {
		change(&opts)
	}
	plane, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &rig{t: t, plane: plane, addr: listener.Addr().String(), cancel: cancel, ended: make(chan error, 1), log: log}
	transport := &http.Transport{DisableCompression: true}
	g.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	go func() { g.ended <- plane.Run(ctx) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := g.wait(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// wait waits for the plane's end, any number of times.
func (g *rig) wait() error {
	select {
	case err := <-g.ended:
		g.ended <- err
		return err
	case <-time.After(patience):
		return fmt.Errorf("the plane did not stop")
	}
}

// serve makes handlers the instances of services; "x" is a service with one.
func (g *rig) serve(services map[string][]http.HandlerFunc) *registry.Table {
	g.t.Helper()
	table := registry.NewTable("local", "e")
	revision := uint64(0)
	for service, handlers := range services {
		for i, h := range handlers {
			backend := httptest.NewServer(h)
			g.t.Cleanup(backend.Close)
			revision++
			table = table.WithInstance(planetest.Instance(service, fmt.Sprintf("i%d", i), backend.Listener.Addr().String(), revision))
		}
	}
	table = table.At(registry.Revision{Epoch: "e", Sequence: revision}).From(registry.Live, time.Now())
	g.apply(table)
	return table
}

func (g *rig) apply(table *registry.Table) {
	if err := g.plane.Apply(context.Background(), table); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) request(method, path string, body io.Reader, headers ...string) *http.Request {
	g.t.Helper()
	return planetest.Request(g.t, method, "http://"+g.addr+path, body, headers...)
}

func (g *rig) send(req *http.Request) (*http.Response, string) {
	g.t.Helper()
	return planetest.Send(g.t, g.client, req)
}

func (g *rig) get(path string, headers ...string) (*http.Response, string) {
	g.t.Helper()
	return g.send(g.request("GET", path, nil, headers...))
}

func TestThreeWaysIn(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("identity")}, "orders": {planetest.Says("orders")}})
	proxied := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: g.addr})}}
	defer proxied.CloseIdleConnections()
	for _, c := range []struct {
		name    string
		headers []string
	}{
		{"header", []string{"Fairlead-Service: identity"}},
		{"host", []string{"Host: identity.service"}},
		{"host with port", []string{"Host: identity.service:4000"}},
		{"long host in any case", []string{"Host: Identity.SERVICE.internal."}},
		{"header wins", []string{"Fairlead-Service: identity", "Host: orders.service"}},
	} {
		if _, body := g.get("/users/1?a=1;b=2", c.headers...); body != "identity /users/1?a=1;b=2" {
			t.Errorf("by %s: %s", c.name, body)
		}
	}
	for _, host := range []string{"identity.service", "identity.service.internal:80", "IDENTITY.service"} {
		res, err := proxied.Get("http://" + host + "/users/1?a=1;b=2")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(body) != "identity /users/1?a=1;b=2" {
			t.Errorf("as a proxy for %s: %s", host, body)
		}
	}
	if _, err := proxied.Get("https://identity.service/"); err == nil {
		t.Error("a tunnel was made")
	}
}

func TestOwnErrorsAreProblems(t *testing.T) {
	g := start(t, nil)
	table := g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("identity")}})
	off := planetest.Instance("off", "i0", "127.0.0.1:1", 8)
	off.Enabled = false
	table = table.WithInstance(planetest.Instance("open", "i0", "127.0.0.1:1", 8)).WithMeta("open", registry.Meta{Policy: registry.Policy{RouteOverride: true}}, 8)
	g.apply(table.WithInstance(off).WithInstance(planetest.Instance("dead", "i0", planetest.Refusing(t), 9)))
	for _, c := range []struct {
		name      string
		headers   []string
		status    int
		code      string
		mentioned string
	}{
		{"nothing", nil, 400, "service-not-named", "http_proxy"},
		{"other host", []string{"Host: www.example.com"}, 421, "host-refused", "www.example.com"},
		{"rebound name", []string{"Host: evil.example.com", "Fairlead-Service: identity"}, 421, "host-refused", "evil.example.com"},
		{"bad header", []string{"Fairlead-Service: Identity!"}, 400, "invalid-service", "Fairlead-Service"},
		{"empty header", []string{"Fairlead-Service: "}, 400, "invalid-service", "must not be empty"},
		{"header twice", []string{"Fairlead-Service: identity", "Fairlead-Service: other"}, 400, "invalid-service", "once"},
		{"bad host", []string{"Host: a.b.c.service"}, 400, "invalid-service", "host"},
		{"no such service", []string{"Fairlead-Service: nothing"}, 503, "no-such-service", "nothing"},
		{"none enabled", []string{"Fairlead-Service: off"}, 503, "none-enabled", "off"},
		{"refused", []string{"Fairlead-Service: dead"}, 503, "unreachable", "dead"},
		{"no time", []string{"Fairlead-Service: identity", "Fairlead-Timeout: 0"}, 504, "timeout", "identity"},
		{"route that is not permitted", []string{"Fairlead-Service: identity", "Fairlead-Route: identity=alice-1"}, 403, "route-refused", "route_override"},
		{"route to nobody", []string{"Fairlead-Service: open", "Fairlead-Route: open=alice-1"}, 503, "no-such-instance", "open"},
		{"route of a wrong form", []string{"Fairlead-Service: identity", "Fairlead-Route: alice"}, 400, "invalid-route", "service=instance"},
		{"loop", []string{"Fairlead-Service: identity", "Via: " + strings.Repeat("1.1 fairlead, ", maxHops-1) + "1.1 fairlead"}, 508, "loop", "Via"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := g.get("/", c.headers...)
			var p problem.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if res.StatusCode != c.status || p.Status != c.status || p.Code() != c.code || res.Header.Get(ErrorHeader) != c.code {
				t.Errorf("got %d %s, header %s", res.StatusCode, body, res.Header.Get(ErrorHeader))
			}
			if !strings.Contains(p.Detail, c.mentioned) || p.Processed != problem.NotProcessed {
				t.Errorf("problem is %+v", p)
			}
			if (c.status == 503) != (res.Header.Get("Retry-After") != "") {
				t.Errorf("Retry-After is %q", res.Header.Get("Retry-After"))
			}
		})
	}
}

// A caller's time is passed on as what is left of it, and ends the request.
func TestCallersTimeIsPassedOn(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, r.Header.Get("Fairlead-Timeout"))
	}}})
	_, left := g.get("/", "Fairlead-Service: identity", "Fairlead-Timeout: 60000")
	if ms, err := strconv.Atoi(left); err != nil || ms > 60_000 || ms < 30_000 {
		t.Errorf("the instance was told %q", left)
	}
	res, body := g.get("/wait", "Fairlead-Service: identity", "Fairlead-Timeout: 20")
	if res.StatusCode != 504 || !strings.Contains(body, `"processed":"maybe"`) {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestProxyRefusesOthers(t *testing.T) {
	g := start(t, nil)
	for _, line := range []string{"CONNECT identity.service:443 HTTP/1.1", "GET http://www.example.com/ HTTP/1.1", "CONNECT www.example.com:443 HTTP/1.1"} {
		conn, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nHost: www.example.com\r\nConnection: close\r\n\r\n", line)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 403 || res.Header.Get(ErrorHeader) != "host-refused" {
			t.Errorf("%s got %s", line, res.Status)
		}
		res.Body.Close()
		conn.Close()
	}
}

func TestNeverSeen(t *testing.T) {
	g := start(t, nil)
	if res, body := g.get("/", "Fairlead-Service: identity"); res.StatusCode != 503 || res.Header.Get(ErrorHeader) != "registry-never-seen" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

// resolver is a registry.Resolver of one service.
type resolver struct{ service *registry.Service }

func (r resolver) Resolve(_ context.Context, name string) (*registry.Service, error) {
	if name != r.service.Name {
		return nil, registry.ErrNoSuchService
	}
	return r.service, nil
}

func TestServicesAreLearnedOnFirstUse(t *testing.T) {
	backend := httptest.NewServer(planetest.Says("learned"))
	defer backend.Close()
	learned := registry.NewTable("local", "e").WithInstance(planetest.Instance("learned", "i0", backend.Listener.Addr().String(), 1)).Service("learned")
	g := start(t, func(o *Options) { o.Resolver = resolver{learned} })
	for range 2 {
		if _, body := g.get("/", "Fairlead-Service: learned"); body != "learned /" {
			t.Errorf("got %s", body)
		}
		g.serve(nil)
	}
}

func TestWhatAServiceSees(t *testing.T) {
	g := start(t, nil)
	seen := make(chan *http.Request, 1)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ErrorHeader, "pretended")
		seen <- r
	}}})
	res, _ := g.get("/a%2Fb//c?x=%zz", "Fairlead-Service: identity", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil",
		"Forwarded: for=6.6.6.6", "Connection: X-Secret", "X-Secret: 1", "Via: 1.0 edge", "User-Agent: me", "Accept-Encoding: br",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if res.Header.Get(ErrorHeader) != "" {
		t.Error("a service's Fairlead-Error reached the caller")
	}
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": g.addr, "X-Forwarded-Proto": "http", "Forwarded": "",
		"X-Secret": "", "Via": "1.0 edge, 1.1 fairlead", "User-Agent": "me", "Accept-Encoding": "br", route.ServiceHeader: "",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		if got := strings.Join(r.Header.Values(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.RequestURI != "/a%2Fb//c?x=%zz" || r.Host != g.addr {
		t.Errorf("request is for %s at %s", r.RequestURI, r.Host)
	}
}

func TestRedirectsStayWithTheCaller(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/next", http.StatusFound)
	}}})
	for host, want := range map[string]string{
		"identity.service": "http://identity.service/next",
		"identity":         "http://identity:80/next",
	} {
		if res, _ := g.get("/", "Fairlead-Service: identity", "Host: "+host); res.Header.Get("Location") != want {
			t.Errorf("Location is %s, want %s", res.Header.Get("Location"), want)
		}
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", r.Trailer.Get("X-Check"))
	}}})
	req := g.request("POST", "/", io.MultiReader(strings.NewReader("ab"), strings.NewReader("cd")), "Fairlead-Service: identity")
	req.Trailer = http.Header{"X-Check": {"42"}}
	if res, body := g.send(req); body != "body" || res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("body %q, trailer %v", body, res.Trailer)
	}
}

func TestLargeUploads(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}}})
	const size = 32 << 20
	body := io.LimitReader(zeros{}, size)
	if _, got := g.send(g.request("POST", "/", body, "Fairlead-Service: identity")); got != fmt.Sprint(size) {
		t.Errorf("the service got %s bytes of %d", got, size)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestContinue: a service that refuses an upload by its header is heard before
// the upload is sent.
func TestContinue(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}}})
	for path, want := range map[string]string{"/no": "HTTP/1.1 403 Forbidden", "/yes": "HTTP/1.1 100 Continue"} {
		conn, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: identity.service\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", path)
		lines := bufio.NewReader(conn)
		if line, _ := lines.ReadString('\n'); strings.TrimSpace(line) != want {
			t.Errorf("%s got %q, want %q", path, line, want)
		}
		if path == "/yes" {
			_, _ = io.WriteString(conn, "abcd")
			if rest, _ := io.ReadAll(lines); !bytes.Contains(rest, []byte("\r\n\r\n4")) {
				t.Errorf("after the upload came %q", rest)
			}
		}
		conn.Close()
	}
}

func upgrading(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

func (g *rig) upgrade(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: identity.service\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	lines := bufio.NewReader(conn)
	res, err := http.ReadResponse(lines, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %+v, %v", res, err)
	}
	return conn, lines
}

func TestWebSocketPasses(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {upgrading}})
	conn, lines := g.upgrade(t)
	for _, word := range []string{"hello\n", "again\n"} {
		_, _ = io.WriteString(conn, word)
		if got, err := lines.ReadString('\n'); got != word {
			t.Fatalf("echo of %q is %q, %v", word, got, err)
		}
	}
}

func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	g := start(t, func(o *Options) { o.Grace = 100 * time.Millisecond })
	g.serve(map[string][]http.HandlerFunc{"identity": {upgrading}})
	_, lines := g.upgrade(t)
	g.cancel()
	if err := g.wait(); err != nil {
		t.Error(err)
	}
	if _, err := lines.ReadByte(); err == nil {
		t.Error("an upgraded connection outlived the plane")
	}
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	g := start(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "finished")
	}}})
	answer := make(chan string, 1)
	go func() {
		res, err := g.client.Do(g.request("GET", "/", nil, "Fairlead-Service: identity"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-entered
	g.cancel()
	waitFor(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", g.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(leave)
	if got := <-answer; got != "finished" {
		t.Errorf("what was in flight got %q", got)
	}
	if err := g.wait(); err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestNeverSentIsRepeatedElsewhere(t *testing.T) {
	g := start(t, nil)
	table := g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("alive")}})
	g.apply(table.WithInstance(planetest.Instance("identity", "dead", planetest.Refusing(t), 9)))
	for range 20 {
		if res, body := g.send(g.request("POST", "/", strings.NewReader("x"), "Fairlead-Service: identity")); body != "alive /" {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
}

// breaking breaks off before it answers.
func breaking(calls chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		calls <- struct{}{}
		panic(http.ErrAbortHandler)
	}
}

func TestMaybeProcessedIsSaid(t *testing.T) {
	g := start(t, nil)
	calls := make(chan struct{}, 10)
	g.serve(map[string][]http.HandlerFunc{"identity": {breaking(calls), breaking(calls)}})
	res, body := g.send(g.request("POST", "/", strings.NewReader("x"), "Fairlead-Service: identity"))
	if res.StatusCode != 502 || res.Header.Get(ErrorHeader) != "no-answer" || !strings.Contains(body, `"processed":"maybe"`) {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if len(calls) != 1 {
		t.Errorf("a POST was sent %d times", len(calls))
	}
}

func TestAnswerThatBreaksOffBreaksOff(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}}})
	res, err := g.client.Do(g.request("GET", "/", nil, "Fairlead-Service: identity"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half an answer passed for a whole one: %q", body)
	}
}

func TestCallerGoingAwayMakesNoNoise(t *testing.T) {
	g := start(t, nil)
	entered, gone := make(chan struct{}), make(chan struct{})
	g.serve(map[string][]http.HandlerFunc{"identity": {func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(gone)
	}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := g.client.Do(g.request("GET", "/", nil, "Fairlead-Service: identity").WithContext(ctx))
		if err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	cancel()
	<-done
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the instance was not told that the caller went away")
	}
	g.cancel()
	if err := g.wait(); err != nil {
		t.Error(err)
	}
	if g.log.String() != "" {
		t.Errorf("the log says %s", g.log.String())
	}
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	g := start(t, nil)
	if res, _ := g.get("/", "Fairlead-Service: identity", "X-Big: "+strings.Repeat("x", 70<<10)); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestHTTP2IsNotSwitchedTo(t *testing.T) {
	g := start(t, nil)
	seen := make(chan http.Header, 1)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }}})
	for _, upgrade := range []string{"h2c", "websocket, h2c", "H2C"} {
		g.get("/", "Fairlead-Service: identity", "Connection: Upgrade, HTTP2-Settings", "Upgrade: "+upgrade, "HTTP2-Settings: AAMAAABk")
		if h := <-seen; h.Get("Upgrade") != "" || h.Get("HTTP2-Settings") != "" {
			t.Errorf("%s went on as %v", upgrade, h)
		}
	}
}

func TestEarlyHintsPass(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "x")
	}}})
	var hints []string
	req := g.request("GET", "/", nil, "Fairlead-Service: identity")
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h.Get("Link")))
		return nil
	}}))
	if res, body := g.send(req); body != "x" || len(hints) != 1 || hints[0] != "103</style.css>" {
		t.Errorf("got %q %v, hints %v", body, res.Header, hints)
	}
}

func TestUnaskedSwitchIsNoAnswer(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {upgrading}})
	if res, body := g.get("/", "Fairlead-Service: identity"); res.StatusCode != 502 || res.Header.Get(ErrorHeader) != "no-answer" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

// TestAStatusThatIsNone: to write one panics, and callers got nothing.
func TestAStatusThatIsNone(t *testing.T) {
	g := start(t, nil)
	g.serve(map[string][]http.HandlerFunc{"identity": {func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n")
	}}})
	res, body := g.get("/", "Fairlead-Service: identity")
	if res.StatusCode != http.StatusBadGateway || res.Header.Get(ErrorHeader) != "no-answer" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}
