package smartclient

import (
	"context"
	"errors"
	"reflect"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const instrumentation = "fairlead.dev/smartclient"

// Attributes of Fairlead's own, beside the stable HTTP ones.
const (
	realmKey    = attribute.Key("fairlead.realm")
	serviceKey  = attribute.Key("fairlead.service")
	instanceKey = attribute.Key("fairlead.instance")
)

// telemetry makes one client span an attempt and measures each. In the stable
// HTTP names, server.address is the host of the URL that was asked for, hence
// the service's name; a span's network.peer.* and fairlead.instance tell where
// it went. Metrics leave the instance out: instances come and go, and each
// would be a time series.
type telemetry struct {
	realm      string
	instances  bool                          // in metrics
	tracer     trace.Tracer                  // nil: no spans
	propagator propagation.TextMapPropagator // nil: the global one
	unset      propagation.TextMapPropagator // the global one that says nothing; nil: none
	measured   *instruments                  // nil: no metrics
}

type instruments struct {
	duration metric.Float64Histogram
	retries  metric.Int64Counter
	refused  metric.Int64Counter
	resends  metric.Int64Counter
	ejected  metric.Int64Counter
	hedges   metric.Int64Counter
	picks    metric.Int64Counter
	unheard  metric.Int64Counter
}

func newTelemetry(o Options) *telemetry {
	return &telemetry{
		realm: o.Realm, instances: o.MeasureInstances, propagator: o.Propagator, unset: unsetPropagator(),
		tracer: newTracer(o.TracerProvider), measured: newInstruments(o),
	}
}

func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = otel.GetTracerProvider()
	}
	if _, off := p.(tracenoop.TracerProvider); off {
		return nil
	}
	return p.Tracer(instrumentation, trace.WithSchemaURL(semconv.SchemaURL))
}

// buckets are the semantic conventions' advice for request durations.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func newInstruments(o Options) *instruments {
	p := o.MeterProvider
	if p == nil {
		p = otel.GetMeterProvider()
	}
	if _, off := p.(metricnoop.MeterProvider); off {
		return nil
	}
	m := p.Meter(instrumentation, metric.WithSchemaURL(semconv.SchemaURL))
	made := &instruments{}
	var errs [8]error
	made.duration, errs[0] = m.Float64Histogram("http.client.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP client requests, one point an attempt, to the response headers."),
		metric.WithExplicitBucketBoundaries(buckets...))
	made.retries, errs[1] = counter(m, "fairlead.client.retries", "Attempts after the first.")
	made.refused, errs[2] = counter(m, "fairlead.client.retries.refused", "Retries that the budget did not allow.")
	made.resends, errs[3] = counter(m, "fairlead.client.resends", "Requests that were sent again at once, because a kept connection was dead.")
	made.ejected, errs[4] = counter(m, "fairlead.client.ejections", "Instances that this client put aside for a while.")
	made.hedges, errs[5] = counter(m, "fairlead.client.hedges", "Second attempts made while the first was still waited for.")
	made.picks, errs[6] = counter(m, "fairlead.client.picks", "Instances chosen for attempts, by how.")
	made.unheard, errs[7] = counter(m, "fairlead.client.observations.dropped", "Attempts that the observer was too slow for.")
	for _, err := range errs {
		if err != nil { // the instrument is a no-op then
			o.Logger.Warn("instrument not created", "err", err)
		}
	}
	return made
}

func counter(m metric.Meter, name, about string) (metric.Int64Counter, error) {
	return m.Int64Counter(name, metric.WithUnit("1"), metric.WithDescription(about))
}

// start begins an attempt's span. What is the same for all attempts at one
// instance is made once.
func (t *telemetry) start(a *attempt) (context.Context, trace.Span) {
	req := a.call.req
	if t.tracer == nil {
		return a.base(), nil
	}
	m := knownMethod(req.Method)
	ctx, span := t.tracer.Start(a.base(), m.name(), clientKind, m.attributes(), t.placeOf(a.at))
	if !span.IsRecording() {
		return ctx, span
	}
	span.SetAttributes(semconv.URLFull(req.URL.Redacted()))
	if m == methodOther {
		span.SetAttributes(semconv.HTTPRequestMethodOriginal(req.Method))
	}
	if a.number > 1 {
		span.SetAttributes(semconv.HTTPRequestResendCount(a.number - 1))
	}
	return ctx, span
}

var clientKind = trace.WithSpanKind(trace.SpanKindClient)

func (t *telemetry) placeOf(e *endpoint) trace.SpanStartOption {
	made := &e.load.toldOf().span
	if known := made.Load(); known != nil {
		return *known
	}
	in := e.instance
	var option trace.SpanStartOption = trace.WithAttributes(
		semconv.ServerAddress(in.Service), semconv.ServerPort(in.Port),
		semconv.NetworkPeerAddress(in.Host), semconv.NetworkPeerPort(in.Port),
		realmKey.String(t.realm), serviceKey.String(in.Service), instanceKey.String(in.ID))
	made.Store(&option)
	return option
}

// finish ends an attempt's span. A client's span is in error from 400 on.
func (t *telemetry) finish(span trace.Span, status int, err error) {
	if span == nil {
		return
	}
	if span.IsRecording() {
		if status > 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		}
		if failure := failureOf(status, err); failure != "" {
			span.SetAttributes(semconv.ErrorTypeKey.String(failure))
			span.SetStatus(codes.Error, messageOf(err))
		}
	}
	span.End()
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// measure records an attempt's duration.
func (t *telemetry) measure(a *attempt, took time.Duration, err error) {
	if t.measured == nil || !t.measured.duration.Enabled(a.ctx) {
		return
	}
	at := &a.call.balancer.points
	if t.instances {
		at = a.at.load.toldOf().pointsOf(t.realm, a.at.instance)
	}
	options := at.attempt(knownMethod(a.call.req.Method), a.status, err)
	t.measured.duration.Record(a.ctx, took.Seconds(), options...)
}

// count adds to one of the counters, chosen by which.
func (t *telemetry) count(ctx context.Context, service string, n int, which func(*instruments) metric.Int64Counter) {
	if t.measured == nil || n == 0 {
		return
	}
	which(t.measured).Add(ctx, int64(n), metric.WithAttributes(realmKey.String(t.realm), serviceKey.String(service)))
}

// picked counts the choice of an instance.
func (t *telemetry) picked(a *attempt) {
	if t.measured == nil || !t.measured.picks.Enabled(a.call.ctx) {
		return
	}
	t.measured.picks.Add(a.call.ctx, 1, a.call.balancer.points.pick(a.chosen())...)
}

// chosen tells how the attempt's instance was.
func (a *attempt) chosen() way {
	switch v := a.call.view; {
	case a.call.route() != "":
		return byRoute
	case a.at.load.ejected.away():
		return byNeed
	case v.panicking.Load() && v.size() > 1: // the only one is no choice
		return byPanic
	case a.at.load.ramp > a.began:
		return byWarmth
	}
	return byBalance
}

func retries(i *instruments) metric.Int64Counter    { return i.retries }
func refused(i *instruments) metric.Int64Counter    { return i.refused }
func resends(i *instruments) metric.Int64Counter    { return i.resends }
func unobserved(i *instruments) metric.Int64Counter { return i.unheard }
func hedges(i *instruments) metric.Int64Counter     { return i.hedges }
func ejections(i *instruments) metric.Int64Counter  { return i.ejected }

// failureOf returns error.type: the status from 400 on, or the error's type.
func failureOf(status int, err error) string {
	switch {
	case err != nil:
		return errorType(err)
	case status >= 400 && status <= 599:
		return statusTexts[status-400]
	}
	return ""
}

var statusTexts = func() (texts [200]string) {
	for i := range texts {
		s := 400 + i
		texts[i] = string([]byte{byte('0' + s/100), byte('0' + s/10%10), byte('0' + s%10)})
	}
	return texts
}()

// errorType names the kind of an error with few different words: known kinds
// first, else the Go type.
func errorType(err error) string {
	switch {
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case isDialError(err):
		return "connect"
	}
	return reflect.TypeOf(err).String()
}
