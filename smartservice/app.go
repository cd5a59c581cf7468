package smartservice

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/registry"
)

// ErrStarted says that the service was started before: an App has one life.
var ErrStarted = errors.New("service was started already")

// An App is one service of one process. Register handlers and checks first,
// then start it; its methods may be called concurrently after that.
type App struct {
	name  string
	given Options
	flags []func(*Options) error
	env   environment

	mux       *http.ServeMux
	checks    []*check
	telemetry *telemetry
	caller    *caller
	settings  *Settings
	draining  chan struct{}

	mu      sync.Mutex
	started bool
	life    *life // nil until Start succeeded
	err     error // of New, told by Start
}

// New returns a service by its name, a DNS label, that does not listen yet.
// Bad options are errors of the start.
func New(name string, opts Options) *App {
	return newApp(name, opts, processEnvironment())
}

func newApp(name string, opts Options, env environment) *App {
	a := &App{name: name, given: opts, env: env, mux: http.NewServeMux(), draining: make(chan struct{})}
	a.telemetry, a.err = newTelemetry(name, opts.TracerProvider)
	a.caller = newCaller(a.newClient)
	a.settings = newSettings(env.getenv, cmp.Or(opts.Logger, slog.Default()))
	return a
}

// Handle registers a handler for a pattern of [http.ServeMux]. The paths under
// /health, and /metrics, are the platform's.
func (a *App) Handle(pattern string, handler http.Handler) { a.mux.Handle(pattern, handler) }

// HandleFunc registers a function for a pattern of [http.ServeMux].
func (a *App) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	a.mux.HandleFunc(pattern, handler)
}

// Check adds a part of the service's health. It is run every 2 s, one call at
// a time, with 2 s to answer; an error makes the service not ready, or with
// [WarnOnly] a second choice.
func (a *App) Check(name string, run func(context.Context) error, opts ...CheckOption) {
	a.checks = append(a.checks, newCheck(name, run, opts))
}

// Main parses the process's arguments, serves until SIGTERM or SIGINT, and
// exits as [Exit] says. A second signal cuts the drain delay short, a third
// ends the process at once.
func (a *App) Main() { Exit(a.RunArgs(context.Background(), os.Args[1:])) }

// Exit ends the process with what [App.RunArgs] returned: 0 after a clean end
// or -h, else with the error on one line, and 2 for bad arguments, 1 for the
// rest.
func Exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.As(err, new(*usageError)) {
		os.Exit(2)
	}
	os.Exit(1)
}

// A usageError is what is wrong with the arguments.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// RunArgs parses flags and then does what [App.Run] does, heeding SIGTERM and
// SIGINT as [App.Main] does. After -h, which prints the flags, it returns
// [flag.ErrHelp].
func (a *App) RunArgs(ctx context.Context, args []string) error {
	if err := a.parse(args); err != nil {
		return &usageError{fmt.Errorf("%s: %w", a.name, err)}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	return a.run(ctx, signals)
}

func (a *App) parse(args []string) error {
	fs := flag.NewFlagSet(a.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, not all the flags
	a.Flags(fs)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(a.env.stdout)
		fs.Usage()
	case err == nil && fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return err
}

// Run starts the service, serves until ctx ends, and stops it, which takes up
// to DrainDelay and ShutdownTimeout longer. It returns nil after a clean stop.
func (a *App) Run(ctx context.Context) error { return a.run(ctx, nil) }

func (a *App) run(ctx context.Context, signals chan os.Signal) error {
	if err := a.Start(ctx); err != nil {
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
	case <-signals:
	case failure = <-a.current().failed:
	}
	hurry, stopListening := hurryOn(context.WithoutCancel(ctx), signals)
	defer stopListening()
	return errors.Join(failure, a.Stop(hurry))
}

// hurryOn returns a context that the next signal ends, and hands the one after
// that back to the operating system.
func hurryOn(ctx context.Context, signals chan os.Signal) (context.Context, func()) {
	hurry, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-hurry.Done():
		case <-signals:
			signal.Stop(signals)
			cancel()
		}
	})
	return hurry, func() {
		cancel()
		listening.Wait()
	}
}

// Draining is closed when the service begins to stop. Handlers that go on for
// long, such as streams of events, should end then, for their clients to come
// back at another instance; what does not is cut after ShutdownTimeout.
func (a *App) Draining() <-chan struct{} { return a.draining }

// Settings are the service's, live. They can be had before Start, and are then
// those of the flags and the environment.
func (a *App) Settings() *Settings { return a.settings }

// MeterProvider is where the service's own metrics go; they appear at
// /metrics beside the platform's.
func (a *App) MeterProvider() metric.MeterProvider { return a.telemetry.meters }

// URL is where the service listens, "http://host:port", empty before Start.
func (a *App) URL() string {
	if l := a.current(); l != nil {
		return "http://" + l.listener.Addr().String()
	}
	return ""
}

// Key is under what the service is registered, zero before Start.
func (a *App) Key() registry.Key {
	if l := a.current(); l != nil {
		return l.key
	}
	return registry.Key{}
}

// Incarnation is the random id of this life of the instance, empty before
// Start.
func (a *App) Incarnation() string {
	if l := a.current(); l != nil {
		return l.registrar.Incarnation()
	}
	return ""
}

// Logger is the service's own, which names service, instance and realm; before
// Start the one of Options, or slog.Default. In handlers use [Logger].
func (a *App) Logger() *slog.Logger {
	if l := a.current(); l != nil {
		return l.log
	}
	return cmp.Or(a.given.Logger, slog.Default())
}

// Registered waits for the first registration, which serving does not wait
// for; see [registrar.Registrar.Registered] for its errors.
func (a *App) Registered(ctx context.Context) error {
	l := a.current()
	if l == nil {
		return errors.New("service has not started")
	}
	return l.registrar.Registered(ctx)
}

func (a *App) current() *life {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.life
}
