package bus

import (
	"context"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/propagation"
)

// w3c is used rather than the process's global propagator: the distributed
// tracing extension of CloudEvents is W3C trace context by definition.
var w3c propagation.TraceContext

// withTrace names ctx's span as the one the event comes from, unless the event
// names one already: the extension is about where an event began.
func withTrace(ctx context.Context, e event.Event) event.Event {
	carrier := eventCarrier{&e}
	if carrier.Get("traceparent") != "" {
		return e
	}
	e = e.Clone()
	w3c.Inject(ctx, eventCarrier{&e})
	return e
}

// traceOf is a context with the span that the event comes from.
func traceOf(ctx context.Context, e event.Event) context.Context {
	return w3c.Extract(ctx, eventCarrier{&e})
}

// eventCarrier lets trace context travel as an event's extensions.
type eventCarrier struct{ e *event.Event }

func (c eventCarrier) Get(key string) string {
	text, _ := c.e.Extensions()[key].(string)
	return text
}

func (c eventCarrier) Set(key, value string) { c.e.SetExtension(key, value) }

func (c eventCarrier) Keys() []string { return w3c.Fields() }
