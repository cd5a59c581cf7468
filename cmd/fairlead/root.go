package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// Exit codes. They are part of the interface: scripts branch on them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // a flag, an argument or an input is wrong; nothing was changed
	exitNotFound    = 3 // no such service or instance, or none enabled
	exitUnavailable = 4 // the bus or the registry does not answer
)

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// A usageError is a mistake in how a command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// An exitError carries the exit code of a program that was run for the user.
// It has nothing to say of its own.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// execute runs the command line and returns the exit code. Errors are one line
// on standard error.
func execute(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	var silent exitError
	if err != nil && !errors.As(err, &silent) {
		fmt.Fprintln(s.err, "fairlead: "+oneLine(err))
		if code == exitUsage {
			fmt.Fprintln(s.err, "Run 'fairlead help' for how it is used.")
		}
	}
	return code
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func exitCode(err error) int {
	var usage usageError
	var code exitError
	var fields registry.FieldErrors
	var field *registry.FieldError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage), errors.As(err, &fields), errors.As(err, &field):
		return exitUsage
	case errors.Is(err, registry.ErrNoSuchService), errors.Is(err, registry.ErrNoneEnabled), errors.Is(err, registry.ErrUnknown):
		return exitNotFound
	case errors.Is(err, registry.ErrUnavailable), errors.Is(err, registry.ErrNeverSeen), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailed
}

// settings are the flags that every command shares.
type settings struct {
	streams
	config  string
	realm   string
	natsURL string
	output  string
	verbose bool
}

// json tells whether the output is for programs.
func (s *settings) json() bool { return s.output == "json" }

func (s *settings) logger() *slog.Logger {
	level := slog.LevelInfo
	if s.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
}

func newRoot(s streams) *cobra.Command {
	set := &settings{streams: s}
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "HTTP microservices on a message bus",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := fillFlags(c.Flags(), set.config, os.LookupEnv); err != nil {
				return err
			}
			return set.check()
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&set.config, "config", "", "file of settings, one FAIRLEAD_NAME=value a line")
	flags.StringVar(&set.realm, "realm", "local", "realm: an isolated environment")
	flags.StringVar(&set.natsURL, "nats-url", "", "where the bus listens (default nats://127.0.0.1:4222)")
	flags.StringVarP(&set.output, "output", "o", "text", "output: text or json")
	flags.BoolVarP(&set.verbose, "verbose", "v", false, "log more")
	root.AddCommand(commands(set)...)
	for _, c := range append(root.Commands(), root) {
		explainArgs(c)
	}
	return root
}

// explainArgs marks mistakes in arguments as mistakes of usage.
func explainArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%s: %w; usage: %s", c.Name(), err, c.UseLine())
		}
		return nil
	}
}

func (s *settings) check() error {
	if s.output != "text" && s.output != "json" {
		return usagef("--output: must be text or json, got %q", s.output)
	}
	if err := registry.ValidateName("--realm", s.realm); err != nil {
		return usageError{err}
	}
	return nil
}
