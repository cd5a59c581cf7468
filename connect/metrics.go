package connect

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scope = "fairlead.dev/connect"

// measure tells how the table stands, whenever somebody collects; stop ends
// that.
func (s *Session) measure(provider metric.MeterProvider) (stop func() error, err error) {
	meter := provider.Meter(scope)
	age, ageErr := meter.Float64ObservableGauge("fairlead.table.age",
		metric.WithUnit("s"), metric.WithDescription("How long ago the routing table was last known to be current."))
	revision, revisionErr := meter.Int64ObservableGauge("fairlead.table.revision",
		metric.WithUnit("{revision}"), metric.WithDescription("The sequence of the routing table's revision."))
	instances, instancesErr := meter.Int64ObservableGauge("fairlead.table.instances",
		metric.WithUnit("{instance}"), metric.WithDescription("Instances in the routing table, by where it comes from: live, or the cache."))
	damaged, damagedErr := meter.Int64ObservableCounter("fairlead.table.cache.damaged",
		metric.WithUnit("{file}"), metric.WithDescription("Files of the cache that were found damaged."))
	for _, err := range []error{ageErr, revisionErr, instancesErr, damagedErr} {
		if err != nil {
			return nil, fmt.Errorf("connect: make metrics: %w", err)
		}
	}
	realm := attribute.String("fairlead.realm", s.realm)
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		table, _ := s.table.Table()
		of := metric.WithAttributes(realm)
		if !table.Updated.IsZero() {
			o.ObserveFloat64(age, s.table.Age().Seconds(), of)
		}
		o.ObserveInt64(revision, int64(table.Revision.Sequence), of)
		o.ObserveInt64(instances, int64(table.Len()), metric.WithAttributes(realm, attribute.String("fairlead.table.source", string(table.Source))))
		if s.cache != nil {
			o.ObserveInt64(damaged, int64(s.cache.Damaged()), of)
		}
		return nil
	}, age, revision, instances, damaged)
	if err != nil {
		return nil, fmt.Errorf("connect: register metrics: %w", err)
	}
	return registration.Unregister, nil
}
