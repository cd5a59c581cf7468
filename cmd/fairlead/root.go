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

	"fairlead.dev/access"
	"fairlead.dev/bus"
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
	set := &settings{streams: s}
	root := newRoot(set)
	root.SetArgs(args)
	err := explainCommand(root, root.ExecuteContext(ctx))
	code := exitCode(err)
	var silent exitError
	if err != nil && !errors.As(err, &silent) {
		fmt.Fprintln(s.err, "fairlead: "+set.named(oneLine(err)))
		if code == exitUsage {
			fmt.Fprintln(s.err, "Run '"+helpFor(root, args)+"' for how it is used.")
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
	case errors.Is(err, registry.ErrNoSuchService), errors.Is(err, registry.ErrNoneEnabled), errors.Is(err, registry.ErrUnknown), errors.Is(err, access.ErrNoUser):
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
	// credentials and ca are paths: what lets this user in, and whom it trusts.
	credentials, ca string
	cache           string
	output          string
	verbose         bool

	// sources tells where flags have their values from; those that were given
	// on the command line are not in it.
	sources map[string]string
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

const longHelp = `Fairlead is a platform for HTTP microservices on a message bus. "fairlead up"
runs all of it on one machine.

Every flag has a variable: --nats-url is FAIRLEAD_NATS_URL, and of one command
alone, such as "sidecar", FAIRLEAD_SIDECAR_NATS_URL, which wins. Flags win over
the environment, and that wins over a file of FAIRLEAD_NAME=value lines (--config).

Exit codes: 0 done, 1 failed, 2 called wrongly (nothing was changed), 3 no such
service or instance or none enabled, 4 the bus or the registry does not answer.
"run" ends as its program does.`

func newRoot(set *settings) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "HTTP microservices on a message bus",
		Long:          longHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				return set.printVersion()
			}
			return c.Help()
		},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			// Where the root's flag --version would be looked up, services keep
			// theirs; and help is for whoever has set something wrong.
			if c.HasParent() {
				if err := set.fillFlags(c, os.LookupEnv); err != nil {
					return err
				}
			}
			return set.check()
		},
	}
	root.SetIn(set.in)
	root.SetOut(set.out)
	root.SetErr(set.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.Flags().BoolVar(&version, "version", false, "say which version this is")
	flags := root.PersistentFlags()
	flags.StringVar(&set.config, "config", "", "file of settings, one FAIRLEAD_NAME=value a line")
	flags.StringVar(&set.realm, "realm", "local", "realm: an isolated environment")
	flags.StringVar(&set.natsURL, "nats-url", "", "where the bus listens (default nats://127.0.0.1:4222)")
	flags.StringVar(&set.credentials, "credentials", "", "file that lets you in beyond loopback, from \"fairlead credentials add\"")
	flags.StringVar(&set.ca, "ca", "", "certificate of the authority that vouches for the servers (default: that in --credentials)")
	flags.StringVar(&set.cache, "cache", "", "directory of tables for when the control plane is away, or off (default fairlead in the user's cache directory)")
	flags.StringVarP(&set.output, "output", "o", "text", "output: text or json")
	flags.BoolVarP(&set.verbose, "verbose", "v", false, "log more")
	root.AddCommand(commands(set)...)
	for _, c := range root.Commands() {
		if c.Args == nil {
			c.Args = takes()
		}
	}
	root.SetHelpCommand(newHelpCommand())
	return root
}

func (s *settings) check() error {
	if s.output != "text" && s.output != "json" {
		return usagef("--output: must be text or json, got %q", s.output)
	}
	if err := registry.ValidateName("--realm", s.realm); err != nil {
		return usageError{err}
	}
	if s.credentials != "" {
		if _, err := bus.ReadCredentials(s.credentials); err != nil {
			return usagef("--credentials: %w", err)
		}
	}
	if s.ca != "" {
		if _, err := (bus.Options{CAFile: s.ca}).TLSConfig(); err != nil {
			return usagef("--ca: %w", err)
		}
	}
	return checkBusURL(s.natsURL)
}
