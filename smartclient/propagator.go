package smartclient

import (
	"context"
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// unsetPropagator returns OpenTelemetry's global propagator if nobody has set
// it yet, nil if somebody has. Asking it what it carries takes a lock, so a
// transport asks once and goes by its identity from then on.
func unsetPropagator() propagation.TextMapPropagator {
	global := otel.GetTextMapPropagator()
	if !reflect.TypeOf(global).Comparable() || len(global.Fields()) > 0 {
		return nil
	}
	return global
}

// carrier returns what passes the context's trace on, nil if there is nothing
// to pass.
func (t *telemetry) carrier(ctx context.Context) propagation.TextMapPropagator {
	if t.propagator != nil {
		return t.propagator
	}
	if global := otel.GetTextMapPropagator(); global != t.unset {
		return global
	}
	if trace.SpanContextFromContext(ctx).IsValid() || baggage.FromContext(ctx).Len() > 0 {
		return w3c
	}
	return nil
}

var w3c = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
