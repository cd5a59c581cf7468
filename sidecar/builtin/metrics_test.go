package builtin

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/planetest"
)

// TestMetrics: each request is one of those served, also if it took two
// attempts, and each attempt is one at its instance.
func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	g := start(t, func(o *Options) { o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader)) })
	table := g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("x")}, "broken": {func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}}})
	for range 3 {
		g.get("/", "Fairlead-Service: identity")
	}
	g.get("/", "Fairlead-Service: broken")
	g.get("/", "Fairlead-Service: nothing")
	g.send(g.request("BREW", "/", nil, "Fairlead-Service: identity"))
	g.apply(table.WithInstance(planetest.Instance("identity", "refusing", planetest.Refusing(t), 9)))
	before := count(t, reader, sidecar.MetricSent)["identity//POST/connect/refusing"]
	waitFor(t, "an attempt in vain", func() bool {
		g.send(g.request("POST", "/", nil, "Fairlead-Service: identity"))
		return count(t, reader, sidecar.MetricSent)["identity//POST/connect/refusing"] > before
	})
	var served map[string]uint64
	// A request is recorded after its answer has left.
	waitFor(t, "the requests in the metrics", func() bool {
		served = count(t, reader, sidecar.MetricServed)
		return served["identity/200/_OTHER//"] == 1
	})
	sent := count(t, reader, sidecar.MetricSent)
	for what, want := range map[string]uint64{"identity/200/GET//": 3, "broken/500/GET/500/": 1, "/503/GET/no-such-service/": 1} {
		if served[what] != want {
			t.Errorf("%d of %s were served: %v", served[what], what, served)
		}
	}
	if sent["identity/200/GET//i0"] != 3 || sent["broken/500/GET/500/i0"] != 1 || sent["identity/200/POST//i0"] != served["identity/200/POST//"] {
		t.Errorf("attempts are %v, served are %v", sent, served)
	}
}

// count returns how many points of a metric there are by service, status,
// method, error and instance.
func count(t *testing.T, reader metric.Reader, name string) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, p := range h.DataPoints {
					counts[described(p.Attributes)] += p.Count
				}
			}
		}
	}
	return counts
}

func described(set attribute.Set) string {
	var words []string
	for _, key := range []attribute.Key{sidecar.AttrService, sidecar.AttrStatus, sidecar.AttrMethod, sidecar.AttrError, sidecar.AttrInstance} {
		value, _ := set.Value(key)
		words = append(words, value.String())
	}
	return strings.Join(words, "/")
}
