package smartservice

import (
	"cmp"
	"log/slog"
	"maps"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/smartclient"
)

// Options of a service. The zero value is a service in the realm "local" on a
// free loopback port, with the bus of this machine.
//
// What is given here is the author's default. The operator has the last word:
// flags override the environment, the environment overrides Options.
type Options struct {
	// Realm to live in. -realm, FAIRLEAD_REALM; default "local".
	Realm string
	// NATSURL is where the bus is. -nats-url, FAIRLEAD_NATS_URL; default the
	// bus on this machine.
	NATSURL string
	// Addr is host:port to listen on; port 0 picks a free one. -addr,
	// FAIRLEAD_ADDR; default "127.0.0.1:0". FAIRLEAD_PORT, or PORT, replaces
	// the port alone.
	Addr string
	// Advertise is the host, or host:port, that others reach the service by.
	// -advertise, FAIRLEAD_ADVERTISE; default the host it listens on, or this
	// machine's first address that is not loopback when it listens on all.
	Advertise string
	// Instance is the id of this copy, a DNS label. -instance,
	// FAIRLEAD_INSTANCE; default <host name>-<port>.
	Instance string
	// Version of the program, as its owner counts. -version, FAIRLEAD_VERSION.
	Version string
	// Zone where the instance stands; callers prefer their own. -zone,
	// FAIRLEAD_ZONE.
	Zone string
	// Weight is the share of requests relative to others, 1 to 1000. -weight,
	// FAIRLEAD_WEIGHT; default 100.
	Weight int
	// Metadata travels with the registration, untouched.
	Metadata map[string]string

	// DrainDelay is how long the service serves on after it said that it
	// drains. It has to outlast the way of that word into every routing table,
	// milliseconds as a rule; what it costs is that much of each restart.
	// -drain-delay, FAIRLEAD_DRAIN_DELAY; default 1 s, negative for none.
	DrainDelay time.Duration
	// ShutdownTimeout bounds the wait for requests in flight after that; those
	// still running then are cut. -shutdown-timeout,
	// FAIRLEAD_SHUTDOWN_TIMEOUT; default 10 s.
	ShutdownTimeout time.Duration

	// Client has further options of [App.Client]: its timeouts and attempts,
	// hedging, throttling, an observer, where a sidecar is. The zero value is
	// the client's own default. Realm and Resolver are the service's, whatever
	// is given; Zone, Sidecar, Logger, telemetry are where none is given.
	Client smartclient.Options

	// Logger for everything. Default a logger of its own to standard error, by
	// FAIRLEAD_LOG_FORMAT (json or text; default text on a terminal, else
	// json) and FAIRLEAD_LOG_LEVEL (debug, info, warn, error; default info).
	Logger *slog.Logger
	// TracerProvider records spans. Default one that records none but gives
	// each request a trace id and passes its caller's on.
	TracerProvider trace.TracerProvider

	logFormat, logLevel string
}

const (
	defaultRealm           = "local"
	defaultAddr            = "127.0.0.1:0"
	defaultDrainDelay      = time.Second
	defaultShutdownTimeout = 10 * time.Second
)

func (o Options) withDefaults() Options {
	o.Realm = cmp.Or(o.Realm, defaultRealm)
	o.Addr = cmp.Or(o.Addr, defaultAddr)
	o.DrainDelay = cmp.Or(o.DrainDelay, defaultDrainDelay)
	o.ShutdownTimeout = cmp.Or(o.ShutdownTimeout, defaultShutdownTimeout)
	o.Metadata = maps.Clone(o.Metadata)
	return o
}
