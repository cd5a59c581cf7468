package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
	"fairlead.dev/registry/memory"
	"fairlead.dev/schemas/openapitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a bridge over a registry in memory, spoken to over real HTTP. Every
// exchange is checked against the OpenAPI document.
type rig struct {
	t      *testing.T
	reg    *memory.Registry
	bridge *Bridge
	url    string
	doc    *openapitest.Document
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	reg := memory.New(memory.Options{})
	opts := Options{
		Atlas: reg, Source: reg, Settings: reg, Follow: following(reg), Forwarder: echo{},
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opts)
	}
	b, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b)
	t.Cleanup(func() {
		b.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
		reg.Close()
	})
	return &rig{t: t, reg: reg, bridge: b, url: server.URL, doc: openapitest.Load(t, openAPI)}
}

// awaitTable waits until the bridge has heard of the registry.
func (g *rig) awaitTable() {
	g.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); g.do("GET", "/health", "").status != http.StatusOK; <-tick.C {
		if time.Now().After(deadline) {
			g.t.Fatal("the bridge has not heard of the registry")
		}
	}
}

func following(source registry.Source) Follow {
	return func(realm string) (registry.Watcher, func(), error) {
		f := follow.New(follow.Options{Source: source, Realm: realm, WholeRealm: true, Logger: slog.New(slog.DiscardHandler)})
		f.Start()
		return f, f.Close, nil
	}
}

// echo is a forwarder that answers what it was asked to do.
type echo struct{}

func (echo) Forward(w http.ResponseWriter, r *http.Request, service, path string) {
	if path == "/panic" {
		panic("a forwarder that panics")
	}
	n, _ := io.Copy(io.Discard, r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "service": service, "path": path, "query": r.URL.RawQuery, "bytes": n})
}

func (echo) Fail(w http.ResponseWriter, _ *http.Request, service string, err error) {
	http.Error(w, service+": "+err.Error(), http.StatusServiceUnavailable)
}

// An exchange is what came of a request.
type exchange struct {
	status int
	header http.Header
	body   []byte
}

func (x exchange) problem(t *testing.T) (p struct {
	Type, Title, Detail string
	Status              int
	Errors              []registry.FieldError
}) {
	t.Helper()
	if got := x.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type is %q, want a problem; body %.200s", got, x.body)
	}
	if err := json.Unmarshal(x.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != x.status {
		t.Errorf("problem says status %d, the answer has %d", p.Status, x.status)
	}
	return p
}

// do sends a request; headers are "Name: value".
func (g *rig) do(method, path, body string, headers ...string) exchange {
	g.t.Helper()
	req, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	x := exchange{res.StatusCode, res.Header, text}
	g.doc.Check(g.t, openapitest.Exchange{
		Method: method, Path: req.URL.EscapedPath(), Body: []byte(body), Status: x.status, Header: x.header, Answer: x.body,
	})
	return x
}

func (g *rig) want(status int, x exchange) exchange {
	g.t.Helper()
	if x.status != status {
		g.t.Fatalf("status %d, want %d: %s", x.status, status, x.body)
	}
	return x
}

// into decodes an answer.
func into[T any](t *testing.T, x exchange) (v T) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(x.body))
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, x.body)
	}
	return v
}

const (
	one  = "/v1/realms/local/services/identity/instances/host001-5000"
	good = `{"host":"127.0.0.1","port":5000}`
)

func TestInstanceLife(t *testing.T) {
	g := newRig(t, nil)
	created := g.want(201, g.do("PUT", one, good))
	if got := created.header.Get("Location"); got != one {
		t.Errorf("Location is %q", got)
	}
	lease := into[leaseAnswer](t, created)
	if lease.HeartbeatMS != 2000 || lease.LeaseMS != 6000 || lease.Token == "" || lease.Instance != "host001-5000" {
		t.Errorf("lease is %+v", lease)
	}
	if got := created.header.Get("ETag"); got != etag(lease.Revision) {
		t.Errorf("ETag is %s, the revision %s", got, lease.Revision)
	}

	shown := g.want(200, g.do("GET", one, ""))
	if got := shown.header.Get("ETag"); got != created.header.Get("ETag") {
		t.Errorf("GET has ETag %s, PUT had %s", got, created.header.Get("ETag"))
	}
	if in := into[registry.Instance](t, shown); in.Addr() != "127.0.0.1:5000" || in.Status != registry.Passing || !in.Enabled {
		t.Errorf("instance is %+v", in)
	}
	g.want(304, g.do("GET", one, "", `If-None-Match: "x-1", W/`+created.header.Get("ETag")))

	g.want(204, g.do("POST", one+"/heartbeat", ""))
	g.want(204, g.do("POST", one+"/heartbeat", `{"status":"critical","in_flight":3,"load":0.5}`))
	if in := into[registry.Instance](t, g.do("GET", one, "")); in.Status != registry.Critical {
		t.Errorf("status is %s after a critical heartbeat", in.Status)
	}

	again := into[leaseAnswer](t, g.want(200, g.do("PUT", one, good)))
	if again.Incarnation == lease.Incarnation {
		t.Error("a new registration has the old incarnation")
	}
	same := into[leaseAnswer](t, g.want(200, g.do("PUT", one, good, "Fairlead-Incarnation: "+again.Incarnation)))
	if same.Incarnation != again.Incarnation {
		t.Error("the incarnation that was named is not kept")
	}

	g.want(204, g.do("DELETE", one, ""))
	if p := g.want(404, g.do("GET", one, "")).problem(t); !strings.Contains(p.Detail, "local/identity/host001-5000") {
		t.Errorf("detail %q does not name the instance", p.Detail)
	}
	g.want(404, g.do("GET", "/v1/realms/local/services/identity", ""))
	g.want(204, g.do("DELETE", one, ""))
	if p := g.want(404, g.do("POST", one+"/heartbeat", "")).problem(t); !strings.Contains(p.Detail, "register again") {
		t.Errorf("detail is %q", p.Detail)
	}
}

func TestLeaseIsNamedByWhoeverKnowsIt(t *testing.T) {
	g := newRig(t, nil)
	lease := into[leaseAnswer](t, g.want(201, g.do("PUT", one, good)))
	g.bridge.leases = newLeases() // as after a restart
	g.want(404, g.do("POST", one+"/heartbeat", ""))
	beat := `{"incarnation":"` + lease.Incarnation + `","token":"` + lease.Token + `"}`
	g.want(204, g.do("POST", one+"/heartbeat", beat))
	g.want(409, g.do("POST", one+"/heartbeat", `{"incarnation":"other","token":"`+lease.Token+`"}`))
	if p := g.want(409, g.do("DELETE", one, "")).problem(t); !strings.Contains(p.Detail, "token") {
		t.Errorf("detail %q does not ask for the token", p.Detail)
	}
	g.want(409, g.do("DELETE", one, `{"incarnation":"other","token":"wrong"}`))
	g.want(200, g.do("GET", one, ""))
	g.want(204, g.do("DELETE", one, "", "Fairlead-Incarnation: "+lease.Incarnation, "Fairlead-Token: "+lease.Token))
	g.want(404, g.do("GET", one, ""))
}

func TestAnotherEndpointIsRefusedAndBothAreNamed(t *testing.T) {
	g := newRig(t, nil)
	g.want(201, g.do("PUT", one, good))
	p := g.want(409, g.do("PUT", one, `{"host":"127.0.0.1","port":5001}`)).problem(t)
	if !strings.Contains(p.Detail, "127.0.0.1:5000") || !strings.Contains(p.Detail, "127.0.0.1:5001") {
		t.Errorf("detail %q does not name both endpoints", p.Detail)
	}
	g.want(204, g.do("POST", one+"/heartbeat", ""))
}

func TestOverrides(t *testing.T) {
	g := newRig(t, nil)
	shown := func() registry.Instance { return into[registry.Instance](t, g.want(200, g.do("GET", one, ""))) }
	g.want(200, g.do("PUT", one+"/enabled", `{"enabled":false,"owner":"ops","reason":"before it is there","until":"2099-01-02T15:04:05Z"}`))
	g.want(201, g.do("PUT", one, good))
	if in := shown(); in.Enabled || in.Reason != "before it is there" || in.Owner != "ops" || in.Until.IsZero() {
		t.Errorf("instance is %+v", in)
	}
	g.want(204, g.do("DELETE", one+"/enabled", ""))
	if in := shown(); !in.Enabled || in.Reason != "" {
		t.Errorf("instance is %+v", in)
	}
	g.want(200, g.do("PUT", one+"/enabled", "false"))
	g.want(200, g.do("PUT", one+"/enabled", "true"))
	g.want(200, g.do("PUT", one+"/weight", `{"weight":7}`))
	g.want(200, g.do("PUT", one+"/drain", `{"drain":true,"reason":"upgrade"}`))
	if in := shown(); in.Weight != 7 || in.Status != registry.Draining {
		t.Errorf("instance is %+v", in)
	}
	g.want(204, g.do("DELETE", one+"/weight", ""))
	g.want(204, g.do("DELETE", one+"/drain", ""))
	if in := shown(); in.Weight != registry.DefaultWeight || in.Status != registry.Passing {
		t.Errorf("instance is %+v", in)
	}
}

func TestMeta(t *testing.T) {
	g := newRig(t, nil)
	const service = "/v1/realms/local/services/identity"
	const meta = service + "/meta"
	g.want(404, g.do("GET", meta, ""))
	set := g.want(200, g.do("PUT", meta, `{"owner":"accounts","policy":{"timeout":"2s"}}`))
	shown := g.want(200, g.do("GET", meta, ""))
	if got := into[metaAnswer](t, shown); got.Meta.Owner != "accounts" || got.Meta.Policy.Timeout != registry.Duration(2*time.Second) || got.Service != "identity" {
		t.Errorf("shown is %+v", got)
	}
	first := set.header.Get("ETag")
	if shown.header.Get("ETag") != first {
		t.Errorf("set at %s, shown at %s", first, shown.header.Get("ETag"))
	}
	g.want(304, g.do("GET", meta, "", "If-None-Match: "+first))
	g.want(200, g.do("PUT", meta, `{"owner":"ann"}`, "If-Match: "+first))
	g.want(412, g.do("PUT", meta, `{"owner":"bob"}`, "If-Match: "+first))
	g.want(412, g.do("DELETE", meta, "", "If-Match: "+first))
	g.want(400, g.do("PUT", meta, `{"owner":"bob"}`, "If-Match: W/"+first))
	g.want(400, g.do("PUT", meta, `{"owner":"bob"}`, "If-None-Match: *"))
	if got := into[struct{ Meta registry.Meta }](t, g.want(200, g.do("GET", service, ""))); got.Meta.Owner != "ann" {
		t.Errorf("the service is %+v", got)
	}
	list := into[struct{ Services []summary }](t, g.want(200, g.do("GET", "/v1/realms/local/services", ""))).Services
	if len(list) != 1 || list[0].Meta.Owner != "ann" || list[0].Instances != 0 {
		t.Errorf("services are %+v", list)
	}
	g.want(200, g.do("GET", "/v1/realms/local/routes", ""))
	g.want(204, g.do("DELETE", meta, ""))
	g.want(204, g.do("DELETE", meta, ""))
	g.want(404, g.do("GET", meta, ""))
}

func TestExplain(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Explainer = o.Atlas.(registry.Explainer) })
	const path = "/v1/realms/local/services/identity/explain"
	explain := func() registry.Explanation {
		return into[registry.Explanation](t, g.want(200, g.do("GET", path, "")))
	}
	if x := explain(); x.Problem != registry.ProblemNoSuchService || x.In != 0 || len(x.Instances) != 0 {
		t.Errorf("of nothing: %+v", x)
	}
	g.want(200, g.do("PUT", one+"/enabled", `{"enabled":false,"owner":"ann","reason":"deploy"}`))
	if x := explain(); len(x.Instances) != 1 || x.Instances[0].Verdict != "out: not registered; disabled by ann: deploy" {
		t.Errorf("of what waits: %+v", x)
	}
	g.want(201, g.do("PUT", one, good))
	if x := explain(); x.Problem != registry.ProblemNoneEnabled || x.Instances[0].Verdict != "out: disabled by ann: deploy" || x.Instances[0].Facts.LeaseLeftMS <= 0 {
		t.Errorf("disabled: %+v", x)
	}
	g.want(204, g.do("DELETE", one+"/enabled", ""))
	if x := explain(); x.In != 1 || x.Source != registry.Live || !x.Facts || x.Instances[0].View.Port != 5000 {
		t.Errorf("in: %+v", x)
	}
	table := g.stream("local", "")
	table.until(t, "a table with the instance", func(e event) bool { return strings.Contains(e.data, `"enabled":true`) })
	table.close()
	g.reg.GoAway()
	if x := explain(); x.In != 1 || x.Facts {
		t.Errorf("with the registry away: %+v", x)
	}
}

func TestListings(t *testing.T) {
	g := newRig(t, nil)
	empty := g.want(200, g.do("GET", "/v1/realms/local/services", ""))
	if !bytes.Contains(empty.body, []byte(`"services":[]`)) {
		t.Errorf("no services are %s", empty.body)
	}
	g.want(201, g.do("PUT", one, good))
	g.want(201, g.do("PUT", strings.Replace(one, "5000", "5001", 1), `{"host":"127.0.0.1","port":5001}`))
	g.want(200, g.do("PUT", one+"/enabled", `{"enabled":false,"reason":"disk"}`))
	list := g.want(200, g.do("GET", "/v1/realms/local/services", ""))
	if got := into[struct{ Services []summary }](t, list).Services; len(got) != 1 || got[0].Instances != 2 || got[0].Usable != 1 || got[0].Passing != 1 {
		t.Errorf("services are %+v", got)
	}
	g.want(304, g.do("GET", "/v1/realms/local/services", "", "If-None-Match: "+list.header.Get("ETag")))
	service := into[struct{ Instances []registry.Instance }](t, g.want(200, g.do("GET", "/v1/realms/local/services/identity", "")))
	if len(service.Instances) != 2 || service.Instances[0].Reason != "disk" {
		t.Errorf("service is %+v", service)
	}
	table := into[registry.Snapshot](t, g.want(200, g.do("GET", "/v1/realms/local/routes", "")))
	if len(table.Services) != 1 || len(table.Services[0].Instances) != 2 || table.Revision.Sequence == 0 {
		t.Errorf("table is %+v", table)
	}
	g.want(200, g.do("GET", "/v1/realms/test/services", ""))
}

func TestRegistryAway(t *testing.T) {
	g := newRig(t, nil)
	g.want(201, g.do("PUT", one, good))
	s := g.stream("local", "")
	s.until(t, "a table with the instance", func(e event) bool { return strings.Contains(e.data, "host001-5000") })
	s.close()
	g.reg.GoAway()
	for _, x := range []exchange{
		g.do("PUT", one, good), g.do("POST", one+"/heartbeat", ""), g.do("DELETE", one, ""),
		g.do("PUT", one+"/enabled", "false"), g.do("DELETE", one+"/enabled", ""),
		g.do("GET", "/v1/realms/other/services", ""),
	} {
		g.want(503, x).problem(t)
		if x.header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
	}
	held := g.want(200, g.do("GET", "/v1/realms/local/services/identity", ""))
	if got := into[view](t, held).Source; got != "table" {
		t.Errorf("source is %q while the registry is away", got)
	}
	g.want(200, g.do("GET", "/health", ""))
}

func TestCall(t *testing.T) {
	g := newRig(t, nil)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/call/identity/users/1?a=1;b=2&c=%20", `{"bytes":0,"method":"GET","path":"/users/1","query":"a=1;b=2\u0026c=%20","service":"identity"}`},
		{"PATCH", "/call/identity/a%2Fb//c/../d", `{"bytes":3,"method":"PATCH","path":"/a%2Fb//c/../d","query":"","service":"identity"}`},
		{"OPTIONS", "/call/identity", `{"bytes":0,"method":"OPTIONS","path":"/","query":"","service":"identity"}`},
		{"DELETE", "/call/iden%74ity/", `{"bytes":0,"method":"DELETE","path":"/","query":"","service":"identity"}`},
	} {
		body := ""
		if c.method == "PATCH" {
			body = "abc"
		}
		if got := strings.TrimSpace(string(g.want(200, g.do(c.method, c.path, body)).body)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
	big := strings.Repeat("x", 10<<20)
	if x := g.want(200, g.do("POST", "/call/identity/upload", big)); !bytes.Contains(x.body, []byte(`"bytes":10485760`)) {
		t.Errorf("a large upload gave %s", x.body)
	}
	g.want(400, g.do("GET", "/call/", "")).problem(t)
	g.want(400, g.do("GET", "/call/Identity/x", "")).problem(t)
	g.want(400, g.do("GET", "/call/a.b/x", "")).problem(t)
}

func TestMethods(t *testing.T) {
	g := newRig(t, nil)
	if x := g.want(405, g.do("PATCH", one, good)); x.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PUT" {
		t.Errorf("Allow is %q", x.header.Get("Allow"))
	}
	if x := g.want(405, g.do("GET", one+"/enabled", "")); x.header.Get("Allow") != "DELETE, OPTIONS, PUT" {
		t.Errorf("Allow is %q", x.header.Get("Allow"))
	}
	if x := g.want(204, g.do("OPTIONS", "/v1/realms/local/routes", "")); x.header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow is %q", x.header.Get("Allow"))
	}
	g.want(200, g.do("HEAD", "/v1/realms/local/routes", ""))
	g.want(200, g.do("HEAD", "/v1/realms/local/routes", "", "Accept: text/event-stream"))
	g.want(404, g.do("GET", "/v2", "")).problem(t)
	g.want(404, g.do("GET", one+"/", "")).problem(t)
	if x := g.want(200, g.do("GET", "/", "")); !strings.Contains(string(x.body), "/openapi.json") {
		t.Errorf("the index is %s", x.body)
	}
	if x := g.want(200, g.do("GET", "/openapi.json", "")); !json.Valid(x.body) {
		t.Error("the document is not JSON")
	}
	g.want(404, g.do("GET", "/metrics", ""))
}

func TestMetricsAreServedWhereGiven(t *testing.T) {
	g := newRig(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	})
	if x := g.want(200, g.do("GET", "/metrics", "")); string(x.body) != "up 1\n" {
		t.Errorf("metrics are %s", x.body)
	}
}

func TestPanicIsAProblemWithoutATrace(t *testing.T) {
	var log bytes.Buffer
	g := newRig(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	x := g.want(500, g.do("GET", "/call/identity/panic", ""))
	if p := x.problem(t); strings.Contains(p.Detail, "goroutine") || strings.Contains(p.Detail, "a forwarder") {
		t.Errorf("detail is %q", p.Detail)
	}
	if !strings.Contains(log.String(), "a forwarder that panics") {
		t.Error("the log does not tell why")
	}
}

func TestHealth(t *testing.T) {
	reg := memory.New(memory.Options{})
	reg.GoAway()
	g := newRig(t, func(o *Options) { o.Follow = following(reg) })
	t.Cleanup(reg.Close)
	x := g.want(503, g.do("GET", "/health", ""))
	if got := into[healthAnswer](t, x); got.Status != "fail" || !strings.Contains(got.Output, "local") || x.header.Get("Content-Type") != "application/health+json" {
		t.Errorf("health is %+v", got)
	}
}

func TestOptionsAreRequired(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a bridge without a registry was made")
	}
}

// TestManyAtOnce: programs that register, beat and leave at the same time do
// not disturb each other.
func TestManyAtOnce(t *testing.T) {
	g := newRig(t, nil)
	var programs sync.WaitGroup
	for i := range 16 {
		programs.Go(func() {
			path := fmt.Sprintf("/v1/realms/local/services/identity/instances/host%d", i)
			for range 10 {
				if x := g.do("PUT", path, good); x.status != 201 {
					t.Errorf("registering got %d %s", x.status, x.body)
				}
				if x := g.do("POST", path+"/heartbeat", ""); x.status != 204 {
					t.Errorf("beating got %d %s", x.status, x.body)
				}
				if x := g.do("DELETE", path, ""); x.status != 204 {
					t.Errorf("leaving got %d %s", x.status, x.body)
				}
			}
		})
	}
	programs.Wait()
}

// confirming is a watcher whose table is confirmed again and again without any
// change, as a quiet realm's is.
type confirming struct{ table *registry.Table }

func (c confirming) Table() (*registry.Table, <-chan struct{}) {
	return c.table.From(registry.Live, time.Now()), nil
}

func TestAQuietRealmIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := memory.New(memory.Options{})
		defer reg.Close()
		b, err := New(Options{Atlas: reg, Source: reg, Settings: reg, Follow: func(string) (registry.Watcher, func(), error) {
			return confirming{registry.NewTable("local", "e1")}, func() {}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		time.Sleep(2 * staleAfter)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/health", nil)
		r.Host = "localhost"
		b.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `"status":"pass"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestHealthWarnsWhenNothingCanBeWritten(t *testing.T) {
	var trouble error
	g := newRig(t, func(o *Options) { o.StorageError = func() error { return trouble } })
	g.awaitTable()
	if got := into[healthAnswer](t, g.want(200, g.do("GET", "/health", ""))); got.Status != "pass" || len(got.Checks["registry:storage"]) != 1 {
		t.Errorf("health %+v", got)
	}
	trouble = errors.New("nothing can be written: no space left on device")
	got := into[healthAnswer](t, g.want(200, g.do("GET", "/health", "")))
	if got.Status != "warn" || got.Output != trouble.Error() {
		t.Errorf("health %+v", got)
	}
}
