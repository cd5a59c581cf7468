package builtin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/sidecar"
)

// metrics measure what callers got. The smart client under the forwarder
// measures the attempts.
type metrics struct {
	served  metric.Float64Histogram
	options knownPoints
}

// bounds are those that the conventions advise, and some for the loopback.
var bounds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func newMetrics(realm string, provider metric.MeterProvider) (*metrics, error) {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	served, err := provider.Meter("fairlead.dev/sidecar/builtin").Float64Histogram(sidecar.MetricServed, metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."), metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	return &metrics{served: served, options: knownPoints{realm: realm}}, nil
}

// record notes one finished exchange. A name that no registry knows does not
// become an attribute: callers could make up as many as they like.
func (m *metrics) record(x *exchange) {
	p := point{x.service, method(x.r.Method), x.failure, x.status}
	switch {
	case x.failure == "no-such-service":
		p.service = ""
	case x.failure == "" && x.status >= http.StatusInternalServerError:
		p.failure = strconv.Itoa(x.status)
	}
	took := x.took
	if took == 0 {
		took = time.Since(x.began)
	}
	m.served.Record(context.Background(), took.Seconds(), m.options.of(p)...)
}

// method leaves out those that are not well known, as the conventions say, or
// callers could make up as many as they like.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return name
	}
	return "_OTHER"
}

// A point is what an exchange is measured by.
type point struct {
	service, method, failure string
	status                   int
}

// options are the attributes of a point, which cost more to make than to use;
// so does the slice in which they are handed over.
func (p point) options(realm string) []metric.RecordOption {
	all := []attribute.KeyValue{
		attribute.String(sidecar.AttrService, p.service), attribute.String(sidecar.AttrMethod, p.method),
		attribute.Int(sidecar.AttrStatus, p.status), attribute.String(sidecar.AttrScheme, "http"),
	}
	if realm != "" {
		all = append(all, attribute.String(sidecar.AttrRealm, realm))
	}
	if p.failure != "" {
		all = append(all, attribute.String(sidecar.AttrError, p.failure))
	}
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
}

// mostPoints bounds the options kept: services come and go.
const mostPoints = 4096

// knownPoints keeps the options of the points seen.
type knownPoints struct {
	realm string

	mu   sync.RWMutex
	seen map[point][]metric.RecordOption
}

func (k *knownPoints) of(p point) []metric.RecordOption {
	k.mu.RLock()
	known := k.seen[p]
	k.mu.RUnlock()
	if known != nil {
		return known
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil || len(k.seen) >= mostPoints {
		k.seen = map[point][]metric.RecordOption{}
	}
	known = p.options(k.realm)
	k.seen[p] = known
	return known
}
