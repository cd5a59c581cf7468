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
	"io"
	"log/slog"

	"fairlead.dev/bench/internal/command"
)

func main() { command.Main("bench-registry", run) }

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
