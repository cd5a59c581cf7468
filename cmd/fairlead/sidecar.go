package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/builtin"
)

// newSidecarCommand runs the proxy that every host has.
func newSidecarCommand(set *settings) *cobra.Command {
	var addr, readyFile string
	c := &cobra.Command{
		Use:   "sidecar",
		Short: "Run the proxy through which programs of this host call services by name",
		Example: `  fairlead sidecar --addr 127.0.0.1:4000
  curl -H 'Fairlead-Service: identity' http://127.0.0.1:4000/users/1
  http_proxy=http://127.0.0.1:4000 curl http://identity.service/users/1`,
		RunE: func(c *cobra.Command, _ []string) error { return runSidecar(c.Context(), set, addr, readyFile) },
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:4000", "where it listens; port 0 picks one")
	c.Flags().StringVar(&readyFile, "ready-file", "", "file that gets the address as JSON once it answers")
	return c
}

func runSidecar(ctx context.Context, set *settings, addr, readyFile string) (err error) {
	began := time.Now()
	if err := loopbackOnly("addr", addr); err != nil {
		return err
	}
	listener, err := listen("addr", addr)
	if err != nil {
		return err
	}
	defer closeQuietly(listener)
	m, err := newMetrics()
	if err != nil {
		return err
	}
	session, err := connect.Open(ctx, set.lead(connect.Options{Name: "sidecar", WholeRealm: true}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession(session)) }()
	car, err := newSidecar(set, session, listener, m)
	if err != nil {
		return err
	}
	return runReady(ctx, set, readyFile, newReady("", "", httpURL(listener)), began, car.Run)
}

// newSidecar ties a plane to a table. The plane's own paths are filled in
// last, because they tell of the sidecar around it.
func newSidecar(set *settings, session *connect.Session, listener net.Listener, m *metrics) (*sidecar.Sidecar, error) {
	own := http.NewServeMux()
	plane, err := builtin.New(builtin.Options{
		Realm: set.realm, Listener: listener, Resolver: session.Table(), Logger: set.logger(),
		MeterProvider: m.provider, Own: own,
	})
	if err != nil {
		return nil, err
	}
	car := sidecar.New(plane, session.Table(), sidecar.Options{Logger: set.logger()})
	car.Mount(own, m.handler())
	return car, nil
}

func closeSession(s *connect.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	return s.Close(ctx)
}
