package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fairlead.dev/examples/gateway"
	"fairlead.dev/examples/identity"
)

// examples are the sample services that this binary carries, so that the demo
// can run them as processes without building anything.
var examples = map[string]func(context.Context, []string) error{
	"gateway":  gateway.Run,
	"identity": identity.Run,
}

// newExampleCommand runs a sample service; the demo starts it.
func newExampleCommand(*settings) *cobra.Command {
	return &cobra.Command{
		Use:    "example NAME",
		Short:  "Run one of the sample services",
		Hidden: true,
		Args:   takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			run, ok := examples[args[0]]
			if !ok {
				return usagef("example: NAME: must be gateway or identity, got %q", args[0])
			}
			if err := run(c.Context(), nil); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
}
