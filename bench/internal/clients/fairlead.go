package clients

import (
	"context"
	"log/slog"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"fairlead.dev/smartclient"
)

// bare chooses an instance and nothing else.
func bare(f *Fleet) (Client, error) {
	o := options(f)
	o.MaxAttempts, o.MeterProvider = 1, metricnoop.NewMeterProvider()
	return smart(o), nil
}

// fairlead has the defaults, retries among them, with metrics that are
// recorded.
func fairlead(f *Fleet) (Client, error) { return smart(options(f)), nil }

// traced records spans besides.
func traced(f *Fleet) (Client, error) {
	o := options(f)
	o.TracerProvider, o.Propagator = newTracers(), propagator
	return smart(o), nil
}

func options(f *Fleet) smartclient.Options {
	return smartclient.Options{
		Realm: "bench", Resolver: f, Logger: slog.New(slog.DiscardHandler),
		TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: newMeters(),
	}
}

func smart(o smartclient.Options) Client {
	c := smartclient.New(o)
	return Client{Base: "service://" + Service, Do: c.Do, close: c.CloseIdleConnections}
}

var propagator = propagation.TraceContext{}

func newMeters() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

// newTracers samples every span, and exports them to nobody.
func newTracers() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropping{}))
}

type dropping struct{}

func (dropping) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropping) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropping) Shutdown(context.Context) error                  { return nil }
func (dropping) ForceFlush(context.Context) error                { return nil }
