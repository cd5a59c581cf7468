package smartclient_test

import (
	"io"
	"net/http"
	"net/http/httputil"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

func attributes(list []attribute.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func checkAttributes(t *testing.T, got, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}

// retried makes one GET that is refused once and then answered, and returns
// what the answering server saw as traceparent.
func retried(t *testing.T, change func(*smartclient.Options)) string {
	t.Helper()
	good, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Traceparent"))
	})
	o := options(newRealm(in("here", at("bad", refusing(t))), at("good", good)))
	change(&o)
	resp, err := newClient(t, o).Get("service://anna:secret@identity/users/1")
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, resp)
}

func TestOneSpanAnAttempt(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	parent := retried(t, func(o *smartclient.Options) {
		o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	})
	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	for _, s := range spans {
		if s.Name() != "GET" || s.SpanKind() != trace.SpanKindClient {
			t.Errorf("span %s of kind %s", s.Name(), s.SpanKind())
		}
	}
	first, second := attributes(spans[0].Attributes()), attributes(spans[1].Attributes())
	checkAttributes(t, first, map[string]string{
		"http.request.method": "GET", "server.address": "identity", "fairlead.service": "identity",
		"fairlead.realm": "test", "fairlead.instance": "bad", "error.type": "connect",
		"url.full": "service://anna:xxxxx@identity/users/1", "http.request.resend_count": "",
	})
	checkAttributes(t, second, map[string]string{
		"fairlead.instance": "good", "http.response.status_code": "200", "http.request.resend_count": "1",
		"network.peer.address": "127.0.0.1", "error.type": "",
	})
	if spans[0].Status().Code != codes.Error || spans[1].Status().Code != codes.Unset {
		t.Errorf("status %v, then %v", spans[0].Status(), spans[1].Status())
	}
	sc := spans[1].SpanContext()
	if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"; parent != want {
		t.Errorf("traceparent %q, want %q", parent, want)
	}
}

func TestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	retried(t, func(o *smartclient.Options) {
		o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	})
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	byName := map[string]metricdata.Aggregation{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		byName[m.Name] = m.Data
	}
	points := byName["http.client.request.duration"].(metricdata.Histogram[float64]).DataPoints
	if len(points) != 2 {
		t.Fatalf("%d points", len(points))
	}
	for _, p := range points {
		checkAttributes(t, attributes(p.Attributes.ToSlice()), map[string]string{
			"http.request.method": "GET", "server.address": "identity", "fairlead.service": "identity", "fairlead.realm": "test",
		})
	}
	if n := byName["fairlead.client.retries"].(metricdata.Sum[int64]).DataPoints[0].Value; n != 1 {
		t.Errorf("%d retries", n)
	}
	if _, any := byName["fairlead.client.retries.refused"]; any {
		t.Error("refused retries where there were none")
	}
}

func TestAttemptsAreMeasuredByInstanceWhereThatIsAsked(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	retried(t, func(o *smartclient.Options) {
		o.MeterProvider, o.MeasureInstances = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), true
	})
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	instances := map[string]uint64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "http.client.request.duration" {
			for _, p := range h.DataPoints {
				instance, _ := p.Attributes.Value("fairlead.instance")
				instances[instance.AsString()] += p.Count
			}
		}
	}
	if len(instances) != 2 || instances[""] != 0 {
		t.Errorf("attempts were at %v", instances)
	}
}

// Without any OpenTelemetry set up, a trace that comes with the context is
// still passed on.
func TestTraceIsPassedOn(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Traceparent")) })
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": parent})
	resp, err := c.Do(newRequest(t, "GET", "service://identity/", "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != parent {
		t.Errorf("got %q", got)
	}
}

// A reverse proxy with its own hooks in the context works on top: this is how
// a sidecar uses the Transport.
func TestBehindAReverseProxy(t *testing.T) {
	good, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, r.Host)
	})
	o := options(newRealm(in("here", at("bad", refusing(t))), at("good", good)))
	o.Retry = smartclient.RetryUnsent
	proxy := &httputil.ReverseProxy{
		Transport: newClient(t, o).Transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "service", "identity"
			r.Out.Host = r.In.Host
		},
	}
	front, _ := serve(t, proxy.ServeHTTP)
	req := newRequest(t, "POST", front, bodyText)
	req.Host = "www.example.com"
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); resp.StatusCode != 200 || got != "www.example.com" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}

// What net/http resends by itself is counted.
func TestSilentResendIsCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	base, seen := serveFickle(t)
	good, goodSeen := serve(t, echo)
	o := options(newRealm(in("here", at("bad", base)), at("good", good)))
	o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	c := newClient(t, o)
	warm(t, c)
	warm(t, c) // dies on the kept connection, is resent, dies again, is repeated elsewhere
	if seen.Load() != 3 || goodSeen.Load() != 1 {
		t.Fatalf("seen %d and %d, want 3 and 1", seen.Load(), goodSeen.Load())
	}
	if got := sums(t, reader); got["fairlead.client.resends"] != 1 || got["fairlead.client.retries"] != 1 {
		t.Errorf("got %v", got)
	}
}

// sums collects the counters.
func sums(t *testing.T, reader sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	byName := map[string]int64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
			byName[m.Name] = sum.DataPoints[0].Value
		}
	}
	return byName
}

// Picks are told apart by how they came about.
func TestPicksAreCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	base, _ := serve(t, echo)
	r := newRealm(at("a", base), at("b", base))
	r.table.Store(r.table.Load().WithMeta("identity", registry.Meta{Policy: registry.Policy{RouteOverride: true}}, 9))
	o := options(r)
	o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	c := newClient(t, o)
	for i := range 5 {
		req := newRequest(t, "GET", "service://identity/", "")
		if i < 2 {
			req.Header.Set(smartclient.RouteHeader, "identity=b")
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	ways := map[string]int64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if m.Name != "fairlead.client.picks" {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			ways[attributes(p.Attributes.ToSlice())["fairlead.pick"]] = p.Value
		}
	}
	if ways["balanced"] != 3 || ways["route"] != 2 || len(ways) != 2 {
		t.Errorf("got %v", ways)
	}
}
