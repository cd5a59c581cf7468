package smartservice

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestMetrics(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{Instance: "i-1", Version: "1.4.2"})
	a.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) {})
	own, err := a.MeterProvider().Meter("test").Int64Counter("widgets")
	if err != nil {
		t.Fatal(err)
	}
	own.Add(t.Context(), 3)
	start(t, a)
	get(t, a.URL()+"/users/1")
	get(t, a.URL()+"/users/2")
	get(t, a.URL()+"/nowhere")
	get(t, a.URL()+"/health")
	text := get(t, a.URL()+"/metrics").body

	for _, want := range []string{
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/users/{id}",network_protocol_version="1.1",url_scheme="http"} 2`,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",network_protocol_version="1.1",url_scheme="http"} 1`,
		`http_server_active_requests 0`,
		`fairlead_service_info{instance_id="i-1",realm="local",service="identity",version="1.4.2"} 1`,
		`widgets_total 3`,
		`go_goroutines `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "health") || strings.Contains(text, "127.0.0.1") {
		t.Error("probes or a caller's host are in the metrics")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// The table by which a service calls others is in its metrics, be there a bus
// or not.
func TestTheTableIsInTheMetrics(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{NATSURL: "nats://127.0.0.1:1"})
	a.env.open = openSession
	start(t, a)
	text := get(t, a.URL()+"/metrics").body
	for _, want := range []string{`fairlead_table_revision{fairlead_realm="local"} 0`, `fairlead_table_instances{fairlead_realm="local"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestTraceContinues(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	a := newRealm(t).app(t, "identity", Options{TracerProvider: provider})
	a.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) {})
	start(t, a)
	get(t, a.URL()+"/users/1", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	get(t, a.URL()+"/health")
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want one for the request and none for the probe", len(ended))
	}
	if ended[0].Name() != "GET /users/{id}" || ended[0].Parent().SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("span %q has parent %s", ended[0].Name(), ended[0].Parent().SpanID())
	}
}

func TestTraceIDWithoutExporter(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	var seen oteltrace.SpanContext
	a.HandleFunc("GET /", func(_ http.ResponseWriter, r *http.Request) { seen = oteltrace.SpanContextFromContext(r.Context()) })
	start(t, a)
	get(t, a.URL()+"/")
	if !seen.IsValid() || seen.IsSampled() {
		t.Errorf("a request of its own has the span context %v, want valid and not sampled", seen)
	}
}

func TestInFlightIsReported(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	entered, release := make(chan struct{}), make(chan struct{})
	a.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})
	start(t, a)
	done := make(chan error, 1)
	go func() {
		resp, err := http.Get(a.URL() + "/slow")
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	<-entered
	if _, inFlight, _ := a.current().fitness(); inFlight != 1 {
		t.Errorf("%d requests in flight, want 1", inFlight)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
