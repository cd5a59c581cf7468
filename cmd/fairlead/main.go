// Command fairlead is the whole platform in one binary: the control plane, the
// sidecar, a wrapper for programs in any language, and the operators' tools.
//
//	fairlead up                                  # everything in one process
//	fairlead run --service greeting --port 7000 -- python3 greeting.py
//	fairlead services
//	fairlead disable identity host001-5000 --reason 'bad disk'
//
// Every flag can be given in the environment (--nats-url is FAIRLEAD_NATS_URL,
// or FAIRLEAD_SIDECAR_NATS_URL for the command sidecar alone) or in a file of
// such settings (--config); flags win over the environment, which wins over the
// file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal begins an orderly end; a second one ends the process,
	// unless the command listens for it itself.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}
