// Command bench-sidecar measures the sidecar's two data planes beside HAProxy,
// nginx and Caddy, on one machine and in one run, and says which figures are
// reached.
//
//	bench-sidecar --fairlead bin/fairlead --caddy bin/bench-caddy
//	bench-sidecar --rows cost --rounds 9
//
// Each proxy is alone on one core; the backend and the load share the other.
// It exits with 3 if a figure is short of its target, with 1 if it could not
// measure, with 2 on wrong arguments. It starts itself as `plane`, to have a
// data plane in a process that tells what a change takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitShort  = 3
)

var (
	errShort = errors.New("some figures are short of their targets")
	errUsage = errors.New("wrong arguments")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-sidecar:", err)
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errShort):
		return exitShort
	case errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

// run finds out which of the processes of a measurement this is.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "plane" {
		return changePlane(ctx, args[1:], out)
	}
	return benchmark(ctx, args, out)
}
