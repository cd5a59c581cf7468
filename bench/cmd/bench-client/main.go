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
	"fmt"
	"io"
	"os"
	"strconv"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/upstream"
)

func main() { command.Main("bench-client", run) }

// run finds out which of the processes of a measurement this is.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 || args[0] != "upstream" {
		return benchmark(ctx, args, out)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("%w: upstream: %w", command.ErrUsage, err)
	}
	return upstream.Serve(n, os.Stdin, out)
}
