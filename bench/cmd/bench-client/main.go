// Command bench-client measures the smart client beside other HTTP clients, on
// one machine and in one run, and says which figures are reached.
//
//	bench-client
//	bench-client --rows round-trip,kills --systems plain,fairlead,kratos --rounds 1
//
// It exits with 3 if a figure is short of its target, with 1 if it could not
// measure, with 2 on wrong arguments. The service that clients call is a
// process of its own: it starts itself as `upstream`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"fairlead.dev/bench/internal/upstream"
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
		fmt.Fprintln(os.Stderr, "bench-client:", err)
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
	if len(args) != 2 || args[0] != "upstream" {
		return benchmark(ctx, args, out)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("%w: upstream: %w", errUsage, err)
	}
	return upstream.Serve(n, os.Stdin, out)
}
