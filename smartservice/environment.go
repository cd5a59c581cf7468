package smartservice

import (
	"context"
	"io"
	"os"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// An environment is what a service takes from the process around it, so that
// tests can stand in for it and hold several services in one process.
type environment struct {
	getenv   func(string) string
	hostname func() (string, error)
	stdout   io.Writer
	stderr   io.Writer
	open     func(context.Context, *life) (session, error)
}

func processEnvironment() environment {
	return environment{getenv: os.Getenv, hostname: os.Hostname, stdout: os.Stdout, stderr: os.Stderr, open: openSession}
}

// A session is a service's way to its realm.
type session interface {
	// Atlas is the registry; it may be a [registry.Beater] too.
	Atlas() registry.Atlas
	// Resolver finds the services of the realm.
	Resolver() registry.Resolver
	// Settings is where settings are read.
	Settings() registry.SettingsSource
	// OnConnect has a function called after each connection to the bus.
	OnConnect(func()) (remove func())
	Close(ctx context.Context) error
}

// openSession opens the way to the realm over the bus.
func openSession(ctx context.Context, l *life) (session, error) {
	s, err := connect.Open(ctx, connect.Options{
		Realm: l.key.Realm, NATSURL: l.options.NATSURL, Name: l.key.String(), Logger: l.log,
		MeterProvider: l.telemetry.meters,
	})
	if err != nil {
		return nil, err
	}
	return busSession{s}, nil
}

type busSession struct{ *connect.Session }

func (s busSession) Atlas() registry.Atlas               { return s.Session.Atlas() }
func (s busSession) Settings() registry.SettingsSource   { return s.Session.Atlas() }
func (s busSession) Resolver() registry.Resolver         { return s.Table() }
func (s busSession) OnConnect(fn func()) (remove func()) { return s.Bus().OnConnect(fn) }
