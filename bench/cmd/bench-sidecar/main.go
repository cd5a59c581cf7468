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
	"io"

	"fairlead.dev/bench/internal/command"
)

func main() { command.Main("bench-sidecar", run) }

// run finds out which of the processes of a measurement this is.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "plane" {
		return changePlane(ctx, args[1:], out)
	}
	return benchmark(ctx, args, out)
}
