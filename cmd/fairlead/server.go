package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// newServerCommand runs a control-plane node: the bus (or, with --nats-url, a
// connection to yours), Atlas and the bridge.
func newServerCommand(set *settings) *cobra.Command {
	var f controlPlaneFlags
	c := &cobra.Command{
		Use:   "server",
		Short: "Run the control plane: the bus, Atlas and the HTTP bridge",
		Example: `  fairlead server --data /var/lib/fairlead
  fairlead server --security /etc/fairlead --nats-addr 0.0.0.0:4222 --http-addr 0.0.0.0:4300
  FAIRLEAD_ATLAS_PASSWORD=… fairlead server --nats-url nats://bus1:4222`,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), set, &f) },
	}
	f.add(c)
	f.addExternal(c)
	f.addSecurity(c)
	return c
}

func serve(ctx context.Context, set *settings, f *controlPlaneFlags) (err error) {
	began := time.Now()
	if err := f.checkAddresses(set); err != nil {
		return err
	}
	control, err := startControlPlane(ctx, set, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control.stop()) }()
	r := newReady(control.natsURL, control.httpURL(), "")
	return runReady(ctx, set, f.readyFile, r, began, control.run)
}
