package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"fairlead.dev/sidecar/builtin"
)

// newUpCommand runs everything in one process: for a developer's machine, and
// for a realm that fits on one.
func newUpCommand(set *settings) *cobra.Command {
	var f controlPlaneFlags
	var sidecarAddr string
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the bus, Atlas, the bridge and the sidecar in one process",
		Example: `  fairlead up
  fairlead up --data /tmp/realm --nats-addr 127.0.0.1:0 --ready-file /tmp/ready.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if set.onCommandLine(c, "nats-url") {
				return usagef("--nats-url: up makes its own bus; use server")
			}
			// In the environment it is meant for the commands that use the bus.
			set.natsURL = ""
			return up(c.Context(), set, &f, sidecarAddr)
		},
	}
	f.add(c)
	c.Flags().StringVar(&sidecarAddr, "sidecar-addr", "127.0.0.1:4000", "where the sidecar listens; port 0 picks one")
	return c
}

func up(ctx context.Context, set *settings, f *controlPlaneFlags, sidecarAddr string) (err error) {
	began := time.Now()
	if err := cmp.Or(loopbackOnly("sidecar-addr", sidecarAddr), f.checkAddresses(set)); err != nil {
		return err
	}
	listener, err := listen("sidecar-addr", sidecarAddr)
	if err != nil {
		return err
	}
	defer closeQuietly(listener)
	control, err := startControlPlane(ctx, set, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, control.stop()) }()
	own := http.NewServeMux()
	plane, err := newBuiltin(set, control.metrics, own, builtin.Options{Resolver: control.session.Table(), Listener: listener})
	if err != nil {
		return err
	}
	car := newSidecar(set, control.session, plane, control.metrics, own)
	r := newReady(control.natsURL, control.httpURL(), httpURL(listener))
	return runReady(ctx, set, f.readyFile, r, began, control.run, car.Run)
}

// runReady runs the parts until ctx ends or one of them fails, and tells once
// they answer where they are.
func runReady(ctx context.Context, set *settings, file string, r ready, began time.Time, parts ...func(context.Context) error) error {
	// Listeners are open, so whoever connects now is served.
	return runOnceReady(ctx, set, file, began, func(context.Context) (ready, error) { return r, nil }, parts...)
}

// runOnceReady is runReady for parts that open their listeners themselves, and
// have await wait for it.
func runOnceReady(ctx context.Context, set *settings, file string, began time.Time, await func(context.Context) (ready, error), parts ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range parts {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error {
		r, err := await(ctx)
		if err != nil {
			return err
		}
		if err := r.write(file); err != nil {
			return err
		}
		return announce(set, r, time.Since(began))
	})
	err := group.Wait()
	return errors.Join(err, removeReady(file))
}

func announce(set *settings, r ready, took time.Duration) error {
	if set.json() {
		return json.NewEncoder(set.out).Encode(r)
	}
	fmt.Fprintf(set.out, "Fairlead is up in realm %s (%.2f s)\n", set.realm, took.Seconds())
	for _, line := range []struct{ name, address string }{{"bus", r.NATS}, {"http", r.HTTP}, {"sidecar", r.Sidecar}} {
		if line.address != "" {
			fmt.Fprintf(set.out, "  %-8s %s\n", line.name, line.address)
		}
	}
	return nil
}
