package haproxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"fairlead.dev/sidecar"
)

// Names of the metrics that only this plane has.
const (
	metricStarts  = "fairlead.haproxy.starts"
	metricReloads = "fairlead.haproxy.reloads"
	metricRepairs = "fairlead.haproxy.repairs"

	scope = "fairlead.dev/sidecar/haproxy"
)

// meters are the instruments whose values are asked for when somebody collects
// them.
type meters struct{ starts, reloads, repairs metric.Int64ObservableCounter }

// measure has what happens to HAProxy collected until stop.
func (p *Plane) measure() (stop func() error, err error) {
	provider := p.opts.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter(scope)
	m, err := newMeters(meter)
	if err != nil {
		return nil, fmt.Errorf("create metric: %w", err)
	}
	r, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s, realm := p.Status(), metric.WithAttributes(attribute.String(sidecar.AttrRealm, p.opts.Realm))
		o.ObserveInt64(m.starts, int64(s.Starts), realm)
		o.ObserveInt64(m.reloads, int64(s.Reloads), realm)
		o.ObserveInt64(m.repairs, int64(s.Repairs), realm)
		return nil
	}, m.starts, m.reloads, m.repairs)
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
	m.starts = counter(metricStarts, "{start}", "Times HAProxy was started.")
	m.reloads = counter(metricReloads, "{reload}", "Times HAProxy was reloaded.")
	m.repairs = counter(metricRepairs, "{repair}", "Times HAProxy was found other than it was left.")
	return m, errors.Join(errs...)
}

// Produce tells what HAProxy has counted, under the names that the built-in
// plane has too. It knows less: statuses by their first digit, no methods, and
// of durations the sum alone, about. It is an OpenTelemetry metric.Producer,
// because no instrument of OpenTelemetry's takes a histogram that is made
// elsewhere, and may be called at any time. What is known is told also if
// HAProxy does not answer just now.
func (p *Plane) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	served, sent, err := p.ledger.sums(ctx)
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: []metricdata.Metrics{
		{Name: sidecar.MetricServed, Unit: "s", Description: "Duration of HTTP server requests.", Data: p.histogram(served, attribute.String(sidecar.AttrScheme, "http"))},
		{Name: sidecar.MetricSent, Unit: "s", Description: "Duration of HTTP client requests, one point an attempt, to the response headers.", Data: p.histogram(sent)},
	}}}, err
}

// histogram has no bounds: how the durations are spread nobody knows.
func (p *Plane) histogram(all totals, more ...attribute.KeyValue) metricdata.Histogram[float64] {
	h := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	now := time.Now()
	for t, n := range all {
		h.DataPoints = append(h.DataPoints, metricdata.HistogramDataPoint[float64]{
			Attributes: attribute.NewSet(append(p.attributes(t), more...)...), StartTime: p.since, Time: now,
			Count: uint64(n.count), BucketCounts: []uint64{uint64(n.count)}, Sum: n.seconds,
		})
	}
	return h
}

func (p *Plane) attributes(t tally) []attribute.KeyValue {
	all := []attribute.KeyValue{attribute.String(sidecar.AttrRealm, p.opts.Realm), attribute.String(sidecar.AttrService, t.service)}
	if t.instance != "" {
		all = append(all, attribute.String(sidecar.AttrInstance, t.instance), attribute.String(sidecar.AttrAddress, t.service))
	}
	if t.class != "" {
		all = append(all, attribute.String(sidecar.AttrStatus, t.class))
	}
	if t.failure != "" {
		all = append(all, attribute.String(sidecar.AttrError, t.failure))
	}
	return all
}
