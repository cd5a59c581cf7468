package smartservice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"fairlead.dev/registry"
	"fairlead.dev/registry/registrar"
)

// A life is one run of a service, from its open port to its last answer.
type life struct {
	options Options
	key     registry.Key
	log     *slog.Logger
	parts   *slog.Logger // for those who name the instance in their own way

	telemetry *telemetry
	listener  net.Listener
	session   session
	health    *health
	registrar *registrar.Registrar

	server  *http.Server
	serving sync.WaitGroup
	fresh   *fresh
	abandon context.CancelFunc // ends the contexts of requests
	failed  chan error         // what ended serving, unless Stop did

	draining chan struct{} // closed when draining begins
	undo     []func(context.Context) error
	stopping sync.Once
	stopErr  error
}

// Start opens the port, serves, and begins to register in the background. It
// waits for the first run of the checks, and for no control plane. ctx bounds
// the start alone. An App starts once; the error names the option that is
// wrong or the step that failed.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started || a.err != nil {
		return cmp.Or(a.err, ErrStarted)
	}
	a.started = true
	l := &life{telemetry: a.telemetry, draining: a.draining, failed: make(chan error, 1)}
	l.later("stop telemetry", tidyTimeout, l.telemetry.stop)
	if err := a.begin(ctx, l); err != nil {
		return fmt.Errorf("start service %s: %w", a.name, errors.Join(err, l.tearDown(ctx)))
	}
	a.life = l
	l.log.Info("serving", "addr", l.listener.Addr().String(), "version", l.options.Version)
	return nil
}

// begin brings up the parts in the order in which they need each other.
func (a *App) begin(ctx context.Context, l *life) error {
	var err error
	if l.options, err = a.resolve(); err != nil {
		return err
	}
	if err := l.listen(ctx); err != nil {
		return err
	}
	if err := l.introduce(a); err != nil {
		return err
	}
	if err := l.open(ctx, a); err != nil {
		return err
	}
	l.serve(a.mux)
	l.later("shut down", l.options.ShutdownTimeout, l.shutDown)
	l.health.start(l.registrar.Poke)
	l.later("stop health checks", tidyTimeout, l.health.stop)
	l.registrar.Start()
	l.later("deregister", tidyTimeout, l.deregister)
	return nil
}

func (l *life) listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", l.options.Addr)
	if err != nil {
		return fmt.Errorf("addr: %w", err)
	}
	l.listener = listener
	l.later("close listener", tidyTimeout, l.closeListener)
	return nil
}

// closeListener matters when serving never began; the server closes it itself.
func (l *life) closeListener(context.Context) error {
	if err := l.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// introduce settles under which key the service lives and how it logs.
func (l *life) introduce(a *App) error {
	l.key = registry.Key{Realm: l.options.Realm, Service: a.name, Instance: l.options.Instance}
	if l.key.Instance == "" {
		// A host without a name is as good as any other here.
		host, _ := a.env.hostname()
		l.key.Instance = registry.InstanceID(host, l.port())
	}
	if err := l.key.Validate(); err != nil {
		return err
	}
	log := l.options.Logger
	if log == nil {
		own, err := newLogger(a.env.stderr, l.options.logFormat, l.options.logLevel)
		if err != nil {
			return err
		}
		log = own
	}
	l.parts = log.With("service", l.key.Service, "realm", l.key.Realm)
	l.log = l.parts.With("instance", l.key.Instance)
	return l.telemetry.introduce(l.key, l.options.Version)
}

// open opens the way to the realm, which need not be there yet, and prepares
// the registration, whose errors name the fields of Options.
func (l *life) open(ctx context.Context, a *App) error {
	reg, err := l.registration()
	if err != nil {
		return err
	}
	if l.session, err = a.env.open(ctx, l); err != nil {
		return err
	}
	l.later("leave the realm", tidyTimeout, l.session.Close)
	l.later("leave the settings", tidyTimeout, a.settings.follow(l.session, l.key.ServiceKey(), l.log))
	a.caller.open(l.session.Resolver())
	l.health = &health{key: l.key, version: l.options.Version, checks: a.checks, draining: l.draining}
	beater, _ := l.session.Atlas().(registry.Beater)
	l.registrar, err = registrar.New(registrar.Options{
		Atlas: l.session.Atlas(), Beater: beater, OnConnect: l.session.OnConnect,
		Key: l.key, Registration: reg, Health: l.fitness, Logger: l.parts,
	})
	return err
}

// registration is what the service says of itself.
func (l *life) registration() (registry.Registration, error) {
	at, err := advertised(l.options.Advertise, l.addr(), machineAddresses())
	if err != nil {
		return registry.Registration{}, err
	}
	reg := registry.Registration{
		Host: at.host, Port: at.port, Scheme: "http", Health: pathReady,
		Version: l.options.Version, Zone: l.options.Zone, Weight: l.options.Weight, Metadata: l.options.Metadata,
	}.WithDefaults()
	return reg, reg.Validate()
}

// fitness is what heartbeats report.
func (l *life) fitness() (status registry.Status, inFlight int, load float64) {
	return l.health.status(), int(l.telemetry.inFlight.Load()), 0
}

func (l *life) addr() netip.AddrPort { return l.listener.Addr().(*net.TCPAddr).AddrPort() }

func (l *life) port() int { return int(l.addr().Port()) }
