package smartclient

import (
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/registry"
)

// RetryMode says which layer this is, hence what it may repeat.
type RetryMode int

const (
	// RetryIdempotent is the rule of a client that stands next to the caller:
	// what was never sent, and failed idempotent requests.
	RetryIdempotent RetryMode = iota
	// RetryUnsent is the rule of a proxy between a client and a service
	// (RFC 9110 §9.2.2): what was never sent, and GET, HEAD and OPTIONS
	// without a body that got no answer. Answers are never repeated.
	RetryUnsent
)

// Options configure a [Client] or a [Transport]. The zero value calls services
// by the sidecar that FAIRLEAD_SIDECAR names. To find instances without one, a
// Resolver is needed; package connect takes one from the bus that the
// environment names.
type Options struct {
	// Realm names the realm in errors, logs and telemetry. It does not choose
	// it: the Resolver does.
	Realm string
	// Resolver yields the instances of a service.
	Resolver registry.Resolver
	// Sidecar is the URL of a sidecar that requests to services go to instead,
	// named by a header; it then chooses and repeats, and this client repeats
	// only what never reached the sidecar. Where neither Resolver nor Sidecar
	// is given, FAIRLEAD_SIDECAR is.
	Sidecar string
	// Zone is where this process runs; instances of the same zone come first.
	Zone string

	// Base carries the attempts, and all requests of other schemes. Nil means
	// a Transport of this package's own for attempts (dial timeout 1 s, 256
	// idle connections an instance, kept 4 s, no environment proxy, no
	// transparent compression), and http.DefaultTransport for the rest. With a
	// Base of your own only dial errors count as "never sent".
	Base http.RoundTripper

	// Retry chooses the rules; the zero value is RetryIdempotent.
	Retry RetryMode
	// MaxAttempts bounds the attempts of one request, the first included.
	// 0 means what the service's policy says, else 3 (Google SRE's bound); 1
	// turns retries off.
	MaxAttempts int
	// Timeout bounds a call with all its attempts and pauses, and reading the
	// answer's body, beside the request's context: see [http.Client.Timeout].
	// 0 means what the service's policy says, else no bound but the context's:
	// how long a good answer may take only the caller knows. Negative means
	// none, whatever the policy says.
	Timeout time.Duration
	// AttemptTimeout bounds the wait for one attempt's response headers; 0 and
	// negative numbers are as in Timeout.
	AttemptTimeout time.Duration
	// Hedge sends an idempotent request that has no answer after about the
	// 95th percentile of the service's latency to another instance too, and
	// takes the first answer. It costs at most 5 % more requests, which are
	// charged to the budget. By default the service's policy decides, and
	// without a policy it is off. A proxy ([RetryUnsent]) never hedges.
	Hedge Switch
	// IdempotencyKeys gives each POST and PATCH without an Idempotency-Key a
	// random one, if the service's policy declares that it supports them, and
	// so makes them repeatable. Requests that have one already are repeatable
	// there in any case.
	IdempotencyKeys bool
	// Budget bounds the retries of all requests to one service together.
	Budget Budget

	// Throttle has requests fail with [ErrThrottled] before they are sent, with
	// a probability that grows as soon as more than so many times what the
	// service accepted in the last ten seconds was asked of it: the K of
	// Google SRE's client-side throttling, who take 2. A 429 or 503, and no
	// answer, are not accepted. 0 means off: it helps services that spend as
	// much on refusing as on serving, but after an outage it is most of a
	// minute until everything is sent again.
	Throttle float64
	// MaxInFlight bounds the requests to one service that are on their way or
	// whose answers are being read; more fail with [ErrTooManyInFlight] before
	// they are sent. 0 means no bound.
	MaxInFlight int

	// Background bounds how many requests of [Client.Go] are on their way at a
	// time. 0 means 256.
	Background int

	// Observer hears of every attempt; nil, and so the default, is none.
	Observer *Observer

	// Logger hears of ejections (Warn) and retries (Debug); nil means
	// slog.Default().
	Logger *slog.Logger
	// TracerProvider and MeterProvider default to OpenTelemetry's globals; the
	// no-op providers turn telemetry off altogether.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// MeasureInstances has http.client.request.duration name the instance too,
	// for one client that stands for many, such as a host's proxy: each instance
	// is a set of time series then, for as long as the process lives.
	MeasureInstances bool
	// Propagator defaults to OpenTelemetry's global one, and to W3C trace
	// context if that was never set.
	Propagator propagation.TextMapPropagator
}

// A Budget bounds the retries to a service within a sliding window: at most
// Ratio × its requests + MinPerSecond × Window. So when everything fails, the
// service sees 1.2 times the load and not three times. A tenth of the second
// part is left for requests that are sent again at once because a kept connection
// was dead, which count too but cannot be refused.
type Budget struct {
	// Ratio is retries per request; 0 means 0.2, negative means none.
	Ratio float64
	// MinPerSecond is allowed whatever the load; 0 means 10, negative none.
	MinPerSecond float64
	// Window is what the budget looks back on; 0 means 10 s.
	Window time.Duration
}

// Starting values, after Finagle and Linkerd, who share them.
const (
	defaultRatio        = 0.2
	defaultMinPerSecond = 10
	defaultWindow       = 10 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Background <= 0 {
		o.Background = defaultBackground
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("component", "smartclient", "realm", o.Realm)
	o.Budget = o.Budget.withDefaults()
	return o
}

func (b Budget) withDefaults() Budget {
	b.Ratio = defaulted(b.Ratio, defaultRatio)
	b.MinPerSecond = defaulted(b.MinPerSecond, defaultMinPerSecond)
	if b.Window <= 0 {
		b.Window = defaultWindow
	}
	return b
}

// defaulted reads an option in which zero stands for the default and a
// negative number for zero.
func defaulted(value, byDefault float64) float64 {
	if value == 0 {
		return byDefault
	}
	return max(value, 0)
}
