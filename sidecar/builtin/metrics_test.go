package builtin

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"fairlead.dev/sidecar/planetest"
)

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	g := start(t, func(o *Options) { o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader)) })
	g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("x")}})
	for range 3 {
		g.get("/", "Fairlead-Service: identity")
	}
	g.get("/", "Fairlead-Service: nothing")
	var all metricdata.ResourceMetrics
	// A request is recorded after its answer has left.
	waitFor(t, "four requests in the metrics", func() bool {
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		return total(all, MetricRequests) == 4
	})
	if got := total(all, MetricFailures); got != 1 {
		t.Errorf("failures are %d", got)
	}
	if got := attributes(all, MetricRequests); !got["identity/i0"] || !got["/"] || len(got) != 2 {
		t.Errorf("requests are of %v", got)
	}
}

func points(all metricdata.ResourceMetrics, name string) []metricdata.DataPoint[int64] {
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				return sum.DataPoints
			}
		}
	}
	return nil
}

func total(all metricdata.ResourceMetrics, name string) (n int64) {
	for _, p := range points(all, name) {
		n += p.Value
	}
	return n
}

func attributes(all metricdata.ResourceMetrics, name string) map[string]bool {
	seen := map[string]bool{}
	for _, p := range points(all, name) {
		service, _ := p.Attributes.Value(attrService)
		instance, _ := p.Attributes.Value(attrInstance)
		seen[service.AsString()+"/"+instance.AsString()] = true
	}
	return seen
}
