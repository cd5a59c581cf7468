package builtin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Names of the metrics and their attributes; they are stable.
const (
	// MetricRequests counts requests by service, instance and status.
	MetricRequests = "fairlead.proxy.requests"
	// MetricFailures counts the proxy's own errors by service and code.
	MetricFailures = "fairlead.proxy.failures"
	// MetricDuration is a histogram of seconds by service, from the request's
	// header to the end of the answer.
	MetricDuration = "fairlead.proxy.duration"

	attrService  = attribute.Key("fairlead.service")
	attrInstance = attribute.Key("fairlead.instance")
	attrStatus   = attribute.Key("http.response.status_code")
	attrError    = attribute.Key("error.type")
)

type metrics struct {
	requests metric.Int64Counter
	failures metric.Int64Counter
	duration metric.Float64Histogram
}

func newMetrics(provider metric.MeterProvider) (*metrics, error) {
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
	return &metrics{requests: requests, failures: failures, duration: duration}, nil
}

// record notes one finished exchange. A name that no registry knows does not
// become an attribute: callers could make up as many as they like.
func (m *metrics) record(r *http.Request, x *exchange, instance string) {
	ctx := context.WithoutCancel(r.Context())
	service := x.service
	if x.failure == "no-such-service" {
		service = ""
	}
	if x.failure != "" {
		m.failures.Add(ctx, 1, metric.WithAttributes(attrService.String(service), attrError.String(x.failure)))
	}
	m.requests.Add(ctx, 1, metric.WithAttributes(attrService.String(service), attrInstance.String(instance), attrStatus.Int(x.status)))
	// Upgraded connections last as long as their users like.
	if x.status != http.StatusSwitchingProtocols {
		m.duration.Record(ctx, time.Since(x.began).Seconds(), metric.WithAttributes(attrService.String(service)))
	}
}
