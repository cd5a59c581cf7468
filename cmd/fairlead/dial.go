package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/bus"
	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// A span is a duration above zero, as a flag.
type span time.Duration

// Set implements [pflag.Value].
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("must be a duration above zero, like 500ms or 5s")
	}
	*s = span(d)
	return nil
}

func (s *span) String() string { return time.Duration(*s).String() }

// Type implements [pflag.Value].
func (s *span) Type() string { return "duration" }

// spanFlag declares a flag of a duration above zero.
func spanFlag(c *cobra.Command, name string, byDefault time.Duration, usage string) *span {
	s := span(byDefault)
	c.Flags().Var(&s, name, usage)
	return &s
}

// timeoutFlag declares how long a command waits for the registry.
func timeoutFlag(c *cobra.Command) *span {
	return spanFlag(c, "timeout", 5*time.Second, "how long to wait for the registry")
}

func (s *span) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(*s))
}

// ask runs fn with a session, both bounded by the timeout.
func (s *settings) ask(ctx context.Context, timeout *span, fn func(context.Context, *connect.Session) error) (err error) {
	ctx, cancel := timeout.bound(ctx)
	defer cancel()
	session, err := s.dial(ctx, connect.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession(session)) }()
	return fn(ctx, session)
}

// dial opens a session whose bus can be reached. Somebody waits for it, so a
// bus that is away is an error at once.
func (s *settings) dial(ctx context.Context, opts connect.Options) (*connect.Session, error) {
	opts.Name, opts.Cache = "fairlead", connect.NoCache
	session, err := connect.Open(ctx, s.lead(opts))
	if err != nil {
		return nil, err
	}
	if session.Bus().Connected() {
		return session, nil
	}
	return nil, errors.Join(s.whyNoBus(ctx, session.Bus().URL()), closeSession(session))
}

// lead fills in what the shared flags say of where the bus is and who asks.
func (s *settings) lead(opts connect.Options) connect.Options {
	opts.Realm, opts.NATSURL, opts.Logger = s.realm, s.natsURL, s.logger()
	opts.CredentialsFile, opts.CAFile = s.credentials, s.ca
	return opts
}

// whyNoBus tries once more, because only a first failure tells its cause.
func (s *settings) whyNoBus(ctx context.Context, url string) error {
	conn, err := bus.Connect(ctx, bus.Options{
		URL: s.natsURL, Name: "fairlead", FailFast: true, Logger: s.logger(),
		CredentialsFile: s.credentials, CAFile: s.ca,
	})
	switch {
	case err == nil:
		conn.Close()
		err = bus.ErrUnavailable
	case errors.Is(err, bus.ErrNobodyListens):
		return reworded{fmt.Sprintf("nobody listens at %s: start fairlead up, or name the bus by --nats-url", url), registry.ErrUnavailable}
	}
	return fmt.Errorf("%w: %w (--nats-url names another bus)", registry.ErrUnavailable, err)
}

// A reworded error says what another one means to whoever typed a command.
type reworded struct {
	text string
	err  error
}

func (e reworded) Error() string { return e.text }
func (e reworded) Unwrap() error { return e.err }
