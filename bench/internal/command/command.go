// Package command is what the commands of the benchmarks have in common: the
// flags, the way from them to results that are shown, and exit codes.
//
//	func main() { command.Main("bench-sidecar", run) }
//
//	func benchmark(ctx context.Context, args []string, out io.Writer) error {
//		o := command.Options{Name: "bench-sidecar", Rounds: 7, Files: 20_000}
//		if err := o.Parse(flags, args); err != nil {
//			return err
//		}
//		return o.Run(ctx, out, measure)
//	}
//
// A command exits with 3 if a figure is short of its target, with 1 if it could
// not measure, with 2 on wrong arguments.
package command

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

// Errors that a run ends with by exit codes of their own; others mean that it
// could not measure.
var (
	ErrShort = errors.New("some figures are short of their targets")
	ErrUsage = errors.New("wrong arguments")
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitShort  = 3
)

// Main runs a command with the process's arguments until a signal ends it, says
// what went wrong, and exits.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrShort):
		return exitShort
	case errors.Is(err, ErrUsage):
		return exitUsage
	}
	return exitFailed
}
