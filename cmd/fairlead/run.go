package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar/attend"
)

// runFlags say what to register, and how to tell its health.
type runFlags struct {
	key         registry.Key
	port        int
	reg         registry.Registration
	interval    *span
	timeout     *span
	drainDelay  time.Duration
	stopTimeout *span
}

// newRunCommand wraps a program in any language.
func newRunCommand(set *settings) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run --service NAME --port N [flags] -- COMMAND [ARGUMENT...]",
		Short: "Start a program, register it while it is healthy, and take it out before it stops",
		Long: `Start a program, and register it once it is healthy: once a GET of --health
answers 2xx, or without --health once it accepts connections. What later checks
find goes into its heartbeats. While it is not healthy, standard error tells
why.

A program that registers itself, as one made with smartservice does, is known
by the Fairlead-Incarnation header of its health answers, and left to that: it
is started, watched over and stopped, but not registered.

On SIGTERM or Ctrl-C callers are told to go elsewhere, and only then the program
is told to stop: it gets SIGTERM and, should it not end, SIGKILL. A second
SIGTERM or Ctrl-C does that at once. SIGHUP, SIGUSR1 and SIGUSR2 are passed on.
A program that ends by itself is deregistered at once. The exit code is the
program's, and 128 more than the signal's number where one killed it.

The program gets PORT, FAIRLEAD_PORT, FAIRLEAD_SERVICE, FAIRLEAD_INSTANCE and
FAIRLEAD_REALM in its environment. It runs in a process group of its own, so
its standard input cannot be a terminal. On Linux it does not outlive this
command, however that ends.`,
		Example: `  fairlead run --service greeting --port 5001 --health /health -- python3 greeting.py
  fairlead run --service greeting --port 0 -- sh -c 'exec node greeting.mjs --port $PORT'`,
		Args: takes("COMMAND", "[ARGUMENT...]"),
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		spec, err := f.spec(set.realm, c.Flags().Changed("weight"))
		if err != nil {
			return err
		}
		return set.runProgram(c.Context(), spec, args, f)
	}
	return c
}

func (f *runFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SetInterspersed(false) // what follows the command is the command's
	flags.StringVar(&f.key.Service, "service", "", "name of the service (required)")
	flags.StringVar(&f.key.Instance, "instance", "", "id of this copy (default: the host's name and the port)")
	flags.IntVar(&f.port, "port", -1, "port that the program listens on; 0 picks a free one and tells it in PORT (required)")
	flags.StringVar(&f.reg.Host, "host", "127.0.0.1", "host that others reach the program by")
	flags.StringVar(&f.reg.Health, "health", "", "path that answers 2xx when the program is well (default: a TCP connect has to do)")
	flags.StringVar(&f.reg.Version, "version", "", "version of the program")
	flags.StringVar(&f.reg.Zone, "zone", "", "where the program stands; callers prefer their own zone")
	flags.IntVar(&f.reg.Weight, "weight", registry.DefaultWeight, "share of requests relative to others, 1 to 1000")
	flags.StringToStringVar(&f.reg.Metadata, "meta", nil, "metadata name=value; may be given several times")
	f.interval = spanFlag(c, "health-interval", time.Second, "time between two health checks")
	f.timeout = spanFlag(c, "health-timeout", time.Second, "how long one health check may take")
	flags.DurationVar(&f.drainDelay, "drain-delay", time.Second, "how long the program serves on after callers were told to go elsewhere")
	f.stopTimeout = spanFlag(c, "stop-timeout", 10*time.Second, "how long the program may take to end before it is killed")
}

// spec checks the flags and fills in what they leave open.
func (f *runFlags) spec(realm string, weightGiven bool) (attend.Spec, error) {
	switch {
	case f.key.Service == "":
		return attend.Spec{}, usagef("--service: must be given")
	case f.port < 0:
		return attend.Spec{}, usagef("--port: must be between 1 and 65535, or 0 to pick a free one")
	case weightGiven && f.reg.Weight == 0:
		return attend.Spec{}, usagef("--weight: must be between 1 and %d, got 0", registry.MaxWeight)
	case f.drainDelay < 0:
		return attend.Spec{}, usagef("--drain-delay: must not be negative, got %s", f.drainDelay)
	}
	spec := attend.Spec{Key: f.key, Registration: f.reg}
	spec.Key.Realm = realm
	spec.Check.Interval, spec.Check.Timeout = time.Duration(*f.interval), time.Duration(*f.timeout)
	var err error
	if spec.Registration.Port, err = pickPort(f.reg.Host, f.port); err != nil {
		return attend.Spec{}, err
	}
	if spec.Key.Instance == "" {
		host, _ := os.Hostname() // a host without a name has a stand-in
		spec.Key.Instance = registry.InstanceID(host, spec.Registration.Port)
	}
	spec = spec.WithDefaults()
	return spec, spec.Validate()
}

// pickPort finds a free port for 0. Somebody else may take it before the
// program does; then its checks fail, and it is not registered.
func pickPort(host string, port int) (int, error) {
	if port != 0 {
		return port, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, usagef("--port: none is free on --host %s: %w", host, err)
	}
	defer closeQuietly(l)
	addr, err := netip.ParseAddrPort(l.Addr().String())
	return int(addr.Port()), err
}

// portIsFree refuses to start a program beside another that has its port
// already: the checks would find that one well, and it would be registered.
// What else may be wrong with an address is the program's to find out; others
// may reach it by one that is not this host's.
func portIsFree(r registry.Registration) error {
	address := net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		closeQuietly(l)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--port: %s is in use", address)
	}
	return nil
}

// runProgram returns when the program has ended, with its exit code as an
// error unless that is 0.
func (s *settings) runProgram(ctx context.Context, spec attend.Spec, command []string, f runFlags) (err error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return usagef("COMMAND: %w", err)
	}
	if err := portIsFree(spec.Registration); err != nil {
		return err
	}
	// The bus may be away: programs are not to wait for it.
	session, err := connect.Open(ctx, s.lead(connect.Options{Name: "run " + spec.Key.String(), Cache: connect.NoCache}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession(session)) }()
	w := wrapper{log: s.logger(), drainDelay: f.drainDelay, stopTimeout: time.Duration(*f.stopTimeout)}
	if w.attendant, err = attend.New(attend.Options{
		Spec: spec, Logger: s.logger(),
		Atlas: session.Atlas(), Beater: session.Atlas(), OnConnect: session.Bus().OnConnect,
	}); err != nil {
		return err
	}
	if w.program, err = s.startProgram(path, command, spec); err != nil {
		return err
	}
	return w.run(ctx)
}

func (s *settings) startProgram(path string, command []string, spec attend.Spec) (*child, error) {
	cmd := exec.Command(path, command[1:]...)
	cmd.Args[0], cmd.Env = command[0], s.programEnvironment(spec)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = programInput(s.in), s.out, s.err
	program, err := startChild(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	return program, nil
}

func (s *settings) programEnvironment(spec attend.Spec) []string {
	port := strconv.Itoa(spec.Registration.Port)
	env := append(os.Environ(), "PORT="+port, "FAIRLEAD_PORT="+port,
		"FAIRLEAD_SERVICE="+spec.Key.Service, "FAIRLEAD_INSTANCE="+spec.Key.Instance, "FAIRLEAD_REALM="+spec.Key.Realm)
	if s.natsURL != "" {
		env = append(env, "FAIRLEAD_NATS_URL="+s.natsURL)
	}
	return env
}
