// Command bench-registry measures the registry beside others, on one machine
// and in one run, and says which figures are reached.
//
//	bench-registry --fairlead bin/fairlead
//	bench-registry --fairlead bin/fairlead --rows flip-20,register-64 --systems fairlead,etcd --rounds 1
//
// It exits with 3 if a figure is short of its target, with 1 if it could not
// measure, with 2 on wrong arguments. Servers and clients are processes of
// their own: it starts itself as `server` and `worker`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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
		fmt.Fprintln(os.Stderr, "bench-registry:", err)
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
	if len(args) > 0 {
		switch args[0] {
		case "server":
			return serve(ctx, args[1:])
		case "worker":
			slog.SetLogLoggerLevel(slog.LevelWarn)
			return work(args[1:])
		}
	}
	return benchmark(ctx, args, out)
}
