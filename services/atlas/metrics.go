package atlas

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// scrapeWait bounds what a scrape waits for the node.
const scrapeWait = time.Second

// meters are what a node counts.
type meters struct {
	labels    memo[metric.MeasurementOption]
	requests  metric.Int64Counter
	evictions metric.Int64Counter
}

// measure creates the instruments. What can be read off the model is observed
// when somebody looks, and costs nothing otherwise.
func (n *Node) measure(provider metric.MeterProvider) (err error) {
	meter := provider.Meter("fairlead.dev/services/atlas")
	n.meters.requests, err = meter.Int64Counter("fairlead.atlas.requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests answered, by verb and code."))
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	n.meters.evictions, err = meter.Int64Counter("fairlead.atlas.evictions",
		metric.WithUnit("{instance}"), metric.WithDescription("Instances that this node evicted."))
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return n.observe(meter)
}

func (n *Node) observe(meter metric.Meter) error {
	gauge := func(name, unit, text string) metric.Int64ObservableGauge {
		// The names are constants that the API accepts.
		g, _ := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(text))
		return g
	}
	instances := gauge("fairlead.atlas.instances", "{instance}", "Instances listed, by realm and status.")
	quarantined := gauge("fairlead.atlas.quarantined", "{entry}", "Entries of the bucket that make no sense.")
	held := gauge("fairlead.atlas.held", "{instance}", "Instances not evicted because too many fell silent at once, by realm.")
	unwritable := gauge("fairlead.atlas.unwritable", "1", "1 while nothing can be written to the registry's storage, else 0.")
	sequence := gauge("fairlead.atlas.revision", "{change}", "Sequence of the last change applied.")
	registration, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveInt64(unwritable, oneIf(n.StorageError() != nil))
		ctx, cancel := context.WithTimeout(ctx, scrapeWait)
		defer cancel()
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(quarantined, int64(len(s.Quarantined)))
		o.ObserveInt64(sequence, int64(s.Revision.Sequence))
		observeRealms(o, instances, s.Realms)
		observeHeld(o, held, s.Realms)
		return nil
	}, instances, quarantined, sequence, held, unwritable)
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	n.closer = append(n.closer, func() { _ = registration.Unregister() })
	return nil
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func observeRealms(o metric.Observer, instances metric.Int64ObservableGauge, realms map[string]protocol.RealmStatus) {
	for realm, r := range realms {
		for _, status := range []registry.Status{registry.Passing, registry.Warning, registry.Critical, registry.Draining, registry.Suspect} {
			o.ObserveInt64(instances, int64(r.Statuses[status]), metric.WithAttributes(
				attribute.String("fairlead.realm", realm), attribute.String("fairlead.status", string(status))))
		}
	}
}

func observeHeld(o metric.Observer, held metric.Int64ObservableGauge, realms map[string]protocol.RealmStatus) {
	for realm, r := range realms {
		n := 0
		if r.Held != nil {
			n = r.Held.Count
		}
		o.ObserveInt64(held, int64(n), metric.WithAttributes(attribute.String("fairlead.realm", realm)))
	}
}

// counted counts a request that was answered.
func (m *meters) counted(ctx context.Context, verb, code string) {
	labels, _ := m.labels.of(verb+" "+code, func(string) (metric.MeasurementOption, error) {
		return metric.WithAttributeSet(attribute.NewSet(
			attribute.String("fairlead.verb", verb), attribute.String("fairlead.code", code))), nil
	})
	m.requests.Add(ctx, 1, labels)
}
