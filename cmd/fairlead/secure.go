package main

import (
	"cmp"
	"context"
	"fmt"

	"fairlead.dev/access"
	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/connect"
)

// secure reads the keys, if there are to be any, and looks after them.
func (c *controlPlane) secure(dir string) error {
	if dir == "" {
		return nil
	}
	keys, err := access.Open(dir)
	if err != nil {
		return usagef("--security: %w", err)
	}
	if c.secured, err = keys.Follow(c.log); err != nil {
		return fmt.Errorf("--security: %w", err)
	}
	c.started.push(func(context.Context) error { c.secured.Close(); return nil })
	return nil
}

// embedded adds to a bus of our own who is let in, and TLS, also between nodes.
func (c *controlPlane) embedded(opts embedded.Options, dir string) (embedded.Options, error) {
	if c.secured == nil {
		return opts, nil
	}
	opts.Users, opts.TLS = c.secured.Users().Conf(), c.secured.TLS()
	if opts.Cluster == nil {
		return opts, nil
	}
	keys, err := access.Open(dir)
	if err != nil {
		return opts, fmt.Errorf("--security: %w", err)
	}
	secret, err := keys.ClusterSecret()
	if err != nil {
		return opts, fmt.Errorf("--security: %w", err)
	}
	opts.Cluster.Password = cmp.Or(opts.Cluster.Password, secret)
	if opts.Cluster.TLS, err = c.secured.PeerTLS(); err != nil {
		return opts, fmt.Errorf("--security: %w", err)
	}
	return opts, nil
}

// watchUsers has the bus told of other users.
func (c *controlPlane) watchUsers(set func(conf string) error) {
	if c.secured != nil {
		c.secured.Run(func(users access.Users) error { return set(users.Conf()) })
	}
}

// external returns how programs and how Atlas connect to a bus of the user's
// own. Its users are told to it by its owner (nats-server --signal reload).
func (c *controlPlane) external(f *controlPlaneFlags) (app connect.Options, control bus.Options, err error) {
	c.natsURL = c.set.natsURL
	app = c.set.lead(connect.Options{})
	control = bus.Options{URL: c.natsURL, User: f.atlasUser, Password: f.atlasPassword, CAFile: c.set.ca}
	if c.secured == nil {
		return app, control, nil
	}
	c.watchUsers(func(string) error { return nil })
	keys, err := access.Open(f.security)
	if err != nil {
		return app, control, fmt.Errorf("--security: %w", err)
	}
	app.CredentialsFile = keys.ControlPlane(access.Bridge)
	return app, bus.Options{URL: c.natsURL, CredentialsFile: keys.ControlPlane(access.Atlas), CAFile: c.set.ca}, nil
}
