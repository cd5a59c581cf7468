package builtin

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Names of the metrics and their attributes; they are stable.
const (
	// MetricRequests counts requests by realm, service, instance and status.
	MetricRequests = "fairlead.proxy.requests"
	// MetricFailures counts the proxy's own errors by realm, service and code.
	MetricFailures = "fairlead.proxy.failures"
	// MetricDuration is a histogram of seconds by realm and service, from the request's
	// header to the end of the answer.
	MetricDuration = "fairlead.proxy.duration"

	attrRealm    = attribute.Key("fairlead.realm")
	attrService  = attribute.Key("fairlead.service")
	attrInstance = attribute.Key("fairlead.instance")
	attrStatus   = attribute.Key("http.response.status_code")
	attrError    = attribute.Key("error.type")
)

type metrics struct {
	requests metric.Int64Counter
	failures metric.Int64Counter
	duration metric.Float64Histogram
	options  knownPoints
}

func newMetrics(realm string, provider metric.MeterProvider) (*metrics, error) {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter("fairlead.dev/sidecar/builtin")
	requests, err := meter.Int64Counter(MetricRequests, metric.WithUnit("{request}"),
		metric.WithDescription("Requests forwarded to services."))
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	failures, err := meter.Int64Counter(MetricFailures, metric.WithUnit("{request}"),
		metric.WithDescription("Requests that the proxy answered with an error of its own."))
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	duration, err := meter.Float64Histogram(MetricDuration, metric.WithUnit("s"),
		metric.WithDescription("Time from a request's header to the end of its answer."),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	return &metrics{requests: requests, failures: failures, duration: duration, options: knownPoints{realm: realm}}, nil
}

// record notes one finished exchange. A name that no registry knows does not
// become an attribute: callers could make up as many as they like.
func (m *metrics) record(x *exchange) {
	ctx := context.Background()
	p := point{x.service, x.progress.Instance, x.failure, x.status}
	if x.failure == "no-such-service" {
		p.service = ""
	}
	options := m.options.of(p)
	if x.failure != "" {
		m.failures.Add(ctx, 1, options.failures...)
	}
	m.requests.Add(ctx, 1, options.requests...)
	// Upgraded connections last as long as their users like.
	if x.status != http.StatusSwitchingProtocols {
		m.duration.Record(ctx, time.Since(x.began).Seconds(), options.duration...)
	}
}

// A point is what an exchange is counted by.
type point struct {
	service, instance, failure string
	status                     int
}

// pointOptions are the attributes of a point, which cost more to make than to
// use; so do the slices in which they are handed over.
type pointOptions struct {
	requests, failures []metric.AddOption
	duration           []metric.RecordOption
}

func (p point) options(realm string) *pointOptions {
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		more = append(more, attrService.String(p.service))
		if realm != "" {
			more = append(more, attrRealm.String(realm))
		}
		return metric.WithAttributeSet(attribute.NewSet(more...))
	}
	return &pointOptions{
		requests: []metric.AddOption{with(attrInstance.String(p.instance), attrStatus.Int(p.status))},
		failures: []metric.AddOption{with(attrError.String(p.failure))},
		duration: []metric.RecordOption{with()},
	}
}

// mostPoints bounds the options kept: instances come and go.
const mostPoints = 4096

// knownPoints keeps the options of the points seen.
type knownPoints struct {
	realm string

	mu   sync.RWMutex
	seen map[point]*pointOptions
}

func (k *knownPoints) of(p point) *pointOptions {
	k.mu.RLock()
	known := k.seen[p]
	k.mu.RUnlock()
	if known != nil {
		return known
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil || len(k.seen) >= mostPoints {
		k.seen = map[point]*pointOptions{}
	}
	known = p.options(k.realm)
	k.seen[p] = known
	return known
}
