package connect

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/cache"
	"fairlead.dev/registry/follow"
	"fairlead.dev/smartclient"
)

const (
	// EnvRealm names the environment variable that chooses the realm.
	EnvRealm = "FAIRLEAD_REALM"
	// EnvZone names the environment variable that tells where the program runs.
	EnvZone = "FAIRLEAD_ZONE"
	// DefaultRealm is the realm where nothing else is said.
	DefaultRealm = "local"
)

// Options of a session. The zero value takes everything from the environment.
type Options struct {
	// Realm: FAIRLEAD_REALM if empty, then "local".
	Realm string
	// NATSURL is where the bus listens: FAIRLEAD_NATS_URL if empty, then the
	// bus on this machine.
	NATSURL string
	// InProcess connects to a bus in the same process instead.
	InProcess interface {
		InProcessConn() (net.Conn, error)
	}
	// CredentialsFile and CAFile are what lets the program in and whom it
	// trusts, as in [bus.Options]; FAIRLEAD_CREDENTIALS and FAIRLEAD_CA if
	// empty. User and Password are instead of the former.
	CredentialsFile, CAFile string
	User, Password          string
	// Name is shown in the bus's list of connections; the program's by default.
	Name string

	// WholeRealm follows every service, as a sidecar for all does. Otherwise
	// Services are followed from the start and others from their first use.
	WholeRealm bool
	Services   []string

	// Cache is the directory where tables are kept for a start while the
	// control plane is away: FAIRLEAD_CACHE if empty, then "fairlead" in the
	// user's cache directory; [NoCache] keeps none. See [CacheDir].
	Cache string

	// Twin is the follower's, see [follow.Options]; nil for all but a control
	// plane.
	Twin func(context.Context) *registry.Table

	// Via names a go-between that registers for others ("bridge").
	Via string

	// Client has further options of the client; its Realm and Resolver are
	// the session's, its Sidecar is FAIRLEAD_SIDECAR and its Zone
	// FAIRLEAD_ZONE if empty.
	Client smartclient.Options

	// MeterProvider gets the table's metrics; the client's by default, and
	// then OpenTelemetry's global one.
	MeterProvider metric.MeterProvider

	Logger *slog.Logger // nil: slog.Default()
}

func (o Options) meterProvider() metric.MeterProvider {
	switch {
	case o.MeterProvider != nil:
		return o.MeterProvider
	case o.Client.MeterProvider != nil:
		return o.Client.MeterProvider
	}
	return otel.GetMeterProvider()
}

// Realm returns the realm that a value, or else the environment, names.
func Realm(value string) string {
	return cmp.Or(value, os.Getenv(EnvRealm), DefaultRealm)
}

// A Session is a program's connection to the platform. Its methods may be
// called concurrently.
type Session struct {
	realm  string
	bus    *bus.Conn
	atlas  *atlasclient.Client
	cache  *cache.Store // nil: none
	table  *follow.Follower
	client *smartclient.Client
	// unmeasure ends the metrics.
	unmeasure func() error

	closing sync.Once
	closed  chan struct{}
}

// Open begins to connect, and returns at once. It fails only on options that
// can never work. Canceling ctx later does not end the session; Close does.
func Open(ctx context.Context, opts Options) (*Session, error) {
	realm := Realm(opts.Realm)
	if err := checkNames(realm, opts.Services); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	conn, err := bus.Connect(ctx, bus.Options{
		URL: opts.NATSURL, Name: opts.Name, InProcess: opts.InProcess, Logger: opts.Logger,
		CredentialsFile: opts.CredentialsFile, CAFile: opts.CAFile, User: opts.User, Password: opts.Password,
	})
	if err != nil {
		return nil, err
	}
	s := &Session{realm: realm, bus: conn, closed: make(chan struct{})}
	s.atlas = atlasclient.New(conn, atlasclient.Options{Via: opts.Via, Logger: opts.Logger})
	s.cache = opts.openCache(conn.URL(), opts.Logger)
	s.table = follow.New(follow.Options{
		Source: s.atlas, Realm: realm, WholeRealm: opts.WholeRealm, Services: opts.Services,
		Cache: orNone(s.cache), Twin: opts.Twin, Logger: opts.Logger,
	})
	if s.unmeasure, err = s.measure(opts.meterProvider()); err != nil {
		conn.Close()
		return nil, err
	}
	s.table.Start()
	opts.Client.Realm, opts.Client.Resolver = realm, s.table
	opts.Client.Sidecar = cmp.Or(opts.Client.Sidecar, os.Getenv(smartclient.EnvSidecar))
	opts.Client.Zone = cmp.Or(opts.Client.Zone, os.Getenv(EnvZone))
	opts.Client.Logger = cmp.Or(opts.Client.Logger, opts.Logger)
	s.client = smartclient.New(opts.Client)
	return s, nil
}

func checkNames(realm string, services []string) error {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("realm", realm))
	for _, service := range services {
		errs.Add(registry.ValidateName("services", service))
	}
	return errs.Err()
}

// Realm returns the realm of the session.
func (s *Session) Realm() string { return s.realm }

// Bus returns the connection to the bus.
func (s *Session) Bus() *bus.Conn { return s.bus }

// Atlas returns the registry: to register with, and to set flags.
func (s *Session) Atlas() *atlasclient.Client { return s.atlas }

// Table returns the routing table that follows the registry.
func (s *Session) Table() *follow.Follower { return s.table }

// Client returns the client that calls services by name.
func (s *Session) Client() *smartclient.Client { return s.client }

// Close ends the session in the reverse order of its making: idle connections
// to services, the table, and the bus, which first sends what was published.
// If ctx ends before that, the bus is closed at once and ctx's error returned.
// Later calls wait for the same end.
func (s *Session) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.client.CloseIdleConnections()
		s.table.Close()
		_ = s.unmeasure()
		go func() {
			defer close(s.closed)
			s.bus.Close()
		}()
	})
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		s.bus.NATS().Close()
		<-s.closed
		return fmt.Errorf("close session: %w", ctx.Err())
	}
}
