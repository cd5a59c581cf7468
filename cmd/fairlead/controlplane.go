package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/access"
	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
	"fairlead.dev/services/atlas"
	"fairlead.dev/services/bridge"
	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/smartclient"
)

// stopWithin bounds the orderly end of each part of a process.
const stopWithin = 15 * time.Second

// controlPlaneFlags are those of `up` and `server`.
type controlPlaneFlags struct {
	data          string
	natsAddr      string
	httpAddr      string
	readyFile     string
	atlasUser     string
	atlasPassword string
	replicas      int
	cluster       clusterFlags
	security      string
}

func (f *controlPlaneFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.data, "data", stateDir(), "directory of the registry's data")
	flags.StringVar(&f.natsAddr, "nats-addr", "127.0.0.1:4222", "where the bus listens; port 0 picks one")
	flags.StringVar(&f.httpAddr, "http-addr", "127.0.0.1:4300", "where the HTTP bridge listens; port 0 picks one")
	flags.StringVar(&f.readyFile, "ready-file", "", "file that gets the addresses as JSON once everything answers")
}

func (f *controlPlaneFlags) addExternal(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.atlasUser, "atlas-user", "atlas", "user of account ATLAS, on a bus of your own (--nats-url)")
	flags.StringVar(&f.atlasPassword, "atlas-password", "", "its password; better given in FAIRLEAD_ATLAS_PASSWORD")
	flags.IntVar(&f.replicas, "replicas", 0, "copies of what is stored (default 3 in a cluster, and where --nats-url names three servers)")
	f.cluster.add(c)
}

// addSecurity declares what `server` can be given and `up` cannot.
func (f *controlPlaneFlags) addSecurity(c *cobra.Command) {
	c.Flags().StringVar(&f.security, "security", "", "directory that \"fairlead init\" made: TLS and credentials for everybody, needed beyond loopback")
}

// checkAddresses looks at all of them, so that nothing has begun when one is
// wrong. The bus's is not used where there is one already.
func (f *controlPlaneFlags) checkAddresses(set *settings) error {
	if err := cmp.Or(f.mayBeOffered("http-addr", f.httpAddr), checkReplicas(f.replicas)); err != nil {
		return err
	}
	if set.natsURL != "" {
		return f.cluster.checkUnused()
	}
	return cmp.Or(f.mayBeOffered("nats-addr", f.natsAddr), f.checkCluster())
}

// checkCluster looks at the flags of a cluster; where there are keys, the nodes
// know each other by those.
func (f *controlPlaneFlags) checkCluster() error {
	if f.cluster.addr == "" {
		return f.cluster.checkSingle()
	}
	if err := cmp.Or(f.mayBeOffered("cluster-addr", f.cluster.addr), f.cluster.check()); err != nil || f.security != "" {
		return err
	}
	return f.cluster.checkPasswords(f.atlasPassword)
}

// A stack undoes what was started, in reverse.
type stack []func(context.Context) error

func (s *stack) push(f func(context.Context) error) { *s = append(*s, f) }

func (s *stack) unwind() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	var errs []error
	for i := len(*s) - 1; i >= 0; i-- {
		errs = append(errs, (*s)[i](ctx))
	}
	*s = nil
	return errors.Join(errs...)
}

// A controlPlane is the bus (unless it is somebody else's), Atlas and the
// bridge.
type controlPlane struct {
	set     *settings
	log     *slog.Logger
	metrics *metrics
	started stack

	secured  *access.Live // nil on loopback, where nobody is asked
	natsURL  string
	listener net.Listener
	session  *connect.Session
	bridge   *bridge.Bridge
	node     *atlas.Node
	// storeError is that of this process's own server, nil without one.
	storeError func() error
	// stageInMemory is of the same server.
	stageInMemory func()
}

// startControlPlane returns once Atlas answers. What it started is undone by
// stop, also after an error.
func startControlPlane(ctx context.Context, set *settings, f *controlPlaneFlags) (*controlPlane, error) {
	c := &controlPlane{set: set, log: set.logger()}
	if err := c.start(ctx, f); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *controlPlane) start(ctx context.Context, f *controlPlaneFlags) (err error) {
	if c.metrics, err = newMetrics(); err != nil {
		return err
	}
	if err := c.secure(f.security); err != nil {
		return err
	}
	c.started.push(startTuningGarbage())
	// The listener first: a taken port should cost nothing but a message.
	if c.listener, err = listen("http-addr", f.httpAddr); err != nil {
		return err
	}
	c.started.push(func(context.Context) error { closeQuietly(c.listener); return nil })
	app, control, err := c.startBus(ctx, f)
	if err != nil {
		return err
	}
	if err := c.startAtlas(ctx, control, f.copies(c.natsURL)); err != nil {
		return err
	}
	if err := c.openSession(ctx, app); err != nil {
		return err
	}
	return c.createBridge()
}

// startBus returns how programs and how Atlas connect.
func (c *controlPlane) startBus(ctx context.Context, f *controlPlaneFlags) (app connect.Options, control bus.Options, err error) {
	if c.set.natsURL != "" {
		c.natsURL = c.set.natsURL
		app, control, err = c.external(f)
		return app, control, err
	}
	server, err := c.startServer(ctx, f)
	if err != nil {
		return app, control, err
	}
	c.watchUsers(server.SetUsers)
	login := server.AppCredentials()
	return connect.Options{InProcess: server, User: login.User, Password: login.Password}, server.AtlasOptions(), server.AwaitQuorum(ctx)
}

func (c *controlPlane) startServer(ctx context.Context, f *controlPlaneFlags) (*embedded.Server, error) {
	// The bus would tell of a taken port in its own words.
	if err := cmp.Or(mayListen("nats-addr", f.natsAddr), f.cluster.mayListen()); err != nil {
		return nil, err
	}
	opts, err := f.serverOptions()
	if err != nil {
		return nil, err
	}
	opts.Logger = c.log
	if opts, err = c.embedded(opts, f.security); err != nil {
		return nil, err
	}
	server, err := embedded.Start(ctx, opts)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("--data: %w", err)
	}
	c.started.push(server.Stop)
	c.natsURL, c.storeError, c.stageInMemory = server.ClientURL(), server.StoreError, server.StageInMemory
	return server, nil
}

func (f *controlPlaneFlags) serverOptions() (embedded.Options, error) {
	host, port, err := splitAddress("nats-addr", f.natsAddr)
	opts := embedded.Options{
		DataDir: f.data, Host: host, Port: port, Advertise: f.cluster.natsAdvertise,
		ServerName: f.cluster.node, Cluster: f.cluster.cluster(),
	}
	if opts.Cluster != nil {
		opts.Passwords = embedded.Passwords{Atlas: f.atlasPassword, Sys: f.cluster.sysPassword, App: f.cluster.appPassword}
	}
	return opts, err
}

// copies is how many there should be of what is stored; 0 leaves it as it is.
func (f *controlPlaneFlags) copies(url string) int {
	switch cluster := f.cluster.cluster(); {
	case f.replicas > 0:
		return f.replicas
	case cluster != nil:
		return cluster.Replicas()
	default:
		return replicasOn(url)
	}
}

func (c *controlPlane) startAtlas(ctx context.Context, opts bus.Options, replicas int) error {
	opts.Name, opts.Logger, opts.FailFast = "atlas", c.log, true
	conn, err := bus.Connect(ctx, opts)
	if err != nil {
		return err
	}
	c.started.push(func(context.Context) error { conn.Close(); return nil })
	ears, err := c.connectEars(ctx, opts)
	if err != nil {
		return err
	}
	c.node, err = atlas.Start(ctx, atlas.Options{Conn: conn, Heartbeats: ears, Logger: c.log, MeterProvider: c.metrics.provider,
		StoreError: c.storeError, Provision: provision.Options{Replicas: replicas, Logger: c.log}})
	if err != nil {
		return err
	}
	c.started.push(c.node.Stop)
	if c.stageInMemory != nil {
		c.stageInMemory()
	}
	return nil
}

// ears is how many connections heartbeats come by: all programs' take turns at
// the lock of each.
const ears = 4

func (c *controlPlane) connectEars(ctx context.Context, opts bus.Options) ([]*bus.Conn, error) {
	opts.Name = "atlas heartbeats"
	var all []*bus.Conn
	for range ears {
		conn, err := bus.Connect(ctx, opts)
		if err != nil {
			return nil, err
		}
		c.started.push(func(context.Context) error { conn.Close(); return nil })
		all = append(all, conn)
	}
	return all, nil
}

func (c *controlPlane) openSession(ctx context.Context, opts connect.Options) (err error) {
	opts.Realm, opts.Name, opts.WholeRealm, opts.Via, opts.Logger = c.set.realm, "fairlead", true, "bridge", c.log
	opts.Twin = c.twin(c.set.realm)
	if c.session, err = connect.Open(ctx, opts); err != nil {
		return err
	}
	c.started.push(c.session.Close)
	return c.session.Table().Ready(ctx)
}

func (c *controlPlane) createBridge() error {
	forwarder, err := builtin.NewForwarder(smartclient.NewTransport(smartclient.Options{
		Realm: c.set.realm, Resolver: c.session.Table(), Retry: smartclient.RetryUnsent, Logger: c.log,
	}), builtin.ForwarderOptions{Logger: c.log, MeterProvider: c.metrics.provider})
	if err != nil {
		return err
	}
	options := bridge.Options{
		Atlas: c.session.Atlas(), Source: c.session.Atlas(), Explainer: c.session.Atlas(),
		Settings: c.session.Atlas(), Follow: c.follow,
		StorageError: c.node.StorageError, Forwarder: forwarder, Resolver: c.session.Table(), Realm: c.set.realm, Metrics: c.metrics.handler(), Logger: c.log,
	}
	if c.secured != nil {
		options.Authorize, options.Hosts = c.secured.Authorize, c.secured.Hosts()
	}
	c.bridge, err = bridge.New(options)
	return err
}

// follow follows the bridge's own realm by the session's table, and others by
// followers of their own.
func (c *controlPlane) follow(realm string) (registry.Watcher, func(), error) {
	if realm == c.set.realm {
		return c.session.Table(), func() {}, nil
	}
	f := follow.New(follow.Options{Source: c.session.Atlas(), Realm: realm, WholeRealm: true, Twin: c.twin(realm), Logger: c.log})
	f.Start()
	return f, f.Close, nil
}

// twin returns what Atlas holds of a realm: the bridge need not hold it once
// more.
func (c *controlPlane) twin(realm string) func(context.Context) *registry.Table {
	return func(ctx context.Context) *registry.Table {
		table, err := c.node.Table(ctx, realm)
		if err != nil {
			c.log.Debug("table not shared with Atlas", "realm", realm, "error", err)
		}
		return table
	}
}

// run serves the bridge until ctx ends.
func (c *controlPlane) run(ctx context.Context) error {
	listener := c.listener
	if c.secured != nil {
		listener = tls.NewListener(listener, c.secured.TLS())
	}
	return c.bridge.Run(ctx, listener)
}

// httpURL is where the bridge answers.
func (c *controlPlane) httpURL() string {
	if c.secured != nil {
		return "https://" + c.listener.Addr().String()
	}
	return httpURL(c.listener)
}

func (c *controlPlane) stop() error { return c.started.unwind() }

func closeQuietly(c io.Closer) { _ = c.Close() }
