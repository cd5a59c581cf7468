package haproxy

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Names of the metrics and their attributes. They are those of the built-in
// plane, as far as HAProxy knows as much: it counts statuses by their first
// digit, and knows averages only.
const (
	metricRequests = "fairlead.proxy.requests"
	metricFailures = "fairlead.proxy.failures"
	metricAverage  = "fairlead.proxy.duration.average"
	metricStarts   = "fairlead.haproxy.starts"
	metricReloads  = "fairlead.haproxy.reloads"
	metricRepairs  = "fairlead.haproxy.repairs"

	attrRealm    = attribute.Key("fairlead.realm")
	attrService  = attribute.Key("fairlead.service")
	attrInstance = attribute.Key("fairlead.instance")
	attrClass    = attribute.Key("http.response.status_class")
	attrError    = attribute.Key("error.type")
)

// meters are the instruments whose values are asked for when somebody collects
// them.
type meters struct {
	requests, failures, starts, reloads, repairs metric.Int64ObservableCounter
	average                                      metric.Float64ObservableGauge
}

// measure has HAProxy's counters collected until stop.
func (p *Plane) measure() (stop func() error, err error) {
	provider := p.opts.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter("fairlead.dev/sidecar/haproxy")
	m, err := newMeters(meter)
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	r, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error { return p.observe(ctx, m, o) },
		m.requests, m.failures, m.starts, m.reloads, m.repairs, m.average)
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	return r.Unregister, nil
}

func newMeters(meter metric.Meter) (m meters, err error) {
	var errs []error
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	m.requests = counter(metricRequests, "{request}", "Requests forwarded to services.")
	m.failures = counter(metricFailures, "{request}", "Requests that the proxy answered with an error of its own.")
	m.starts = counter(metricStarts, "{start}", "Times HAProxy was started.")
	m.reloads = counter(metricReloads, "{reload}", "Times HAProxy was reloaded.")
	m.repairs = counter(metricRepairs, "{repair}", "Times HAProxy was found other than it was left.")
	m.average, err = meter.Float64ObservableGauge(metricAverage, metric.WithUnit("s"),
		metric.WithDescription("Time until an instance's answer begins, on average over its last 1024 requests."))
	return m, errors.Join(append(errs, err)...)
}

// observe reports what is known even if HAProxy does not answer just now.
func (p *Plane) observe(ctx context.Context, m meters, o metric.Observer) error {
	requests, failures, averages, err := p.ledger.sums(ctx)
	realm := attrRealm.String(p.opts.Realm)
	for t, n := range requests {
		o.ObserveInt64(m.requests, n, metric.WithAttributes(realm, attrService.String(t.service), attrInstance.String(t.instance), attrClass.String(t.class)))
	}
	for f, n := range failures {
		o.ObserveInt64(m.failures, n, metric.WithAttributes(realm, attrService.String(f.service), attrError.String(f.code)))
	}
	for t, seconds := range averages {
		o.ObserveFloat64(m.average, seconds, metric.WithAttributes(realm, attrService.String(t.service), attrInstance.String(t.instance)))
	}
	s := p.Status()
	o.ObserveInt64(m.starts, int64(s.Starts), metric.WithAttributes(realm))
	o.ObserveInt64(m.reloads, int64(s.Reloads), metric.WithAttributes(realm))
	o.ObserveInt64(m.repairs, int64(s.Repairs), metric.WithAttributes(realm))
	return err
}
