package smartservice

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/registry"
)

// telemetry counts and traces one service. It has a Prometheus registry and
// providers of its own, so services that share a process share no metric.
type telemetry struct {
	service  string
	gatherer *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	tracers  trace.TracerProvider
	inFlight atomic.Int64
}

func newTelemetry(service string, tracers trace.TracerProvider) (*telemetry, error) {
	t := &telemetry{gatherer: prometheus.NewRegistry(), tracers: tracers, service: service}
	t.gatherer.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(t.gatherer), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	name := resource.NewSchemaless(attribute.String("service.name", service))
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(name), sdkmetric.WithView(serverView()))
	if t.tracers == nil {
		t.tracers = passOnTraces()
	}
	return t, t.observeInFlight()
}

// introduce publishes what is known of the instance only once it listens, as
// one constant metric to join with the others.
func (t *telemetry) introduce(key registry.Key, version string) error {
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fairlead_service_info",
		Help: "What this instance is; always 1.",
		ConstLabels: prometheus.Labels{
			"realm": key.Realm, "service": key.Service, "instance_id": key.Instance, "version": version,
		},
	}, func() float64 { return 1 })
	return t.gatherer.Register(info)
}

// passOnTraces is a provider that exports nothing. Spans have ids, so logs can
// name the trace and the next service continues it; the sampling decision of
// whoever began the trace is kept.
func passOnTraces() trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
}

// propagator is W3C's, whatever the process's global one is.
func propagator() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
}

// serverView keeps those attributes of the server's metrics whose values are
// few. The server's address and port come from the caller's Host header, so a
// stranger could make a time series of each request.
func serverView() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "http.server.*"},
		sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter(
			"http.request.method", "http.response.status_code", "http.route",
			"network.protocol.version", "url.scheme", "error.type",
		)},
	)
}

// observeInFlight publishes the number of requests being served, the one that
// heartbeats report, under its conventional name.
func (t *telemetry) observeInFlight() error {
	_, err := t.meters.Meter("fairlead.dev/smartservice").Int64ObservableUpDownCounter(
		"http.server.active_requests",
		metric.WithUnit("{request}"),
		metric.WithDescription("Number of active HTTP server requests."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(t.inFlight.Load())
			return nil
		}),
	)
	return err
}

// instrument counts and traces what next serves, under names that follow the
// mux's patterns.
func (t *telemetry) instrument(next http.Handler) http.Handler {
	traced := otelhttp.NewHandler(next, t.service,
		otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithTracerProvider(t.tracers),
		otelhttp.WithPropagators(propagator()),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.inFlight.Add(1)
		defer t.inFlight.Add(-1)
		traced.ServeHTTP(w, r)
	})
}

// handler answers scrapes.
func (t *telemetry) handler() http.Handler {
	return promhttp.HandlerFor(t.gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// stop ends the collection of metrics. Spans are their provider's owner's.
func (t *telemetry) stop(ctx context.Context) error { return t.meters.Shutdown(ctx) }
