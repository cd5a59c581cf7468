package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/haproxy"
)

// metrics are one process's, with a registry of their own: two platforms in
// one test process do not mix.
type metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	further  further
}

// mostSeries bounds the sets of attributes of one metric; beyond it they are
// counted together. A host's sidecar may call each of ten thousand instances.
const mostSeries = 50_000

func newMetrics() (*metrics, error) {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(m.registry), otelprom.WithoutScopeInfo(), otelprom.WithProducer(&m.further))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	m.provider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithCardinalityLimit(mostSeries), sdkmetric.WithView(attemptsView))
	return m, nil
}

// attemptsView has attempts be counted and summed up alone. There is a series
// for each instance, and buckets would make it twenty; those of what callers
// got, by service, tell how durations are spread.
var attemptsView = sdkmetric.NewView(
	sdkmetric.Instrument{Name: sidecar.MetricSent},
	sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{NoMinMax: true}},
)

// further is what counts outside of the provider, once that is known.
type further struct{ from atomic.Pointer[haproxy.Plane] }

// Produce returns nothing as long as there is nothing.
func (f *further) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	if p := f.from.Load(); p != nil {
		return p.Produce(ctx)
	}
	return nil, nil
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
