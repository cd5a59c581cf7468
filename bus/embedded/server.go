// Package embedded runs the bus inside the control plane's process: a NATS
// server with JetStream on disk and the three accounts of Fairlead.
//
//	srv, err := embedded.Start(ctx, embedded.Options{DataDir: "/var/lib/fairlead"})
//	if err != nil { … }
//	defer srv.Stop(context.Background())
//	conn, err := bus.Connect(ctx, srv.AtlasOptions())
//
// Accounts are described once, in accounts.conf beside this file: this server
// reads it, and so does a server of your own (see deployments/nats). Streams
// and buckets are made by package provision, the same for both.
//
// Only the control plane imports this package; clients need package bus.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"fairlead.dev/bus"
)

// Options say where the server keeps its data and where it listens. Only
// DataDir is required.
type Options struct {
	DataDir    string // made if missing, with access for its owner only
	Host       string // default 127.0.0.1
	Port       int    // 0 picks a free one
	ServerName string // default a random one, kept in DataDir; unique in a cluster
	MaxPayload int32  // bytes of one message; default 1 MiB

	// Cluster is nil for a single server.
	Cluster   *Cluster
	Passwords Passwords
	// Advertise is the HOST:PORT at which clients reach this server, for the
	// other nodes to tell them; default where it listens.
	Advertise string

	// RequireLogin refuses connections without credentials on loopback too.
	// Beyond loopback they are always refused.
	RequireLogin bool

	// Users are those who are let in, as accounts.conf takes them (package
	// access writes that); anonymous connections are refused then. This
	// process's own are added to them. Empty: those of a bus on loopback.
	Users string
	// TLS is spoken with everybody who connects over a socket; nil: none is.
	TLS *tls.Config

	// Unsynced acknowledges writes before they are on disk. Two minutes of
	// acknowledged registrations can then be lost with the power: for tests.
	Unsynced bool

	Logger *slog.Logger // nil: slog.Default()
}

const (
	defaultHost       = "127.0.0.1"
	defaultMaxPayload = 1 << 20
	defaultStopWait   = 10 * time.Second
)

// Server is a running bus. Its methods may be called concurrently.
type Server struct {
	nats  *server.Server
	opts  Options
	creds Credentials
	lock  *os.File
	log   *slog.Logger

	adapter *slogAdapter
	staging *staging
	watch   *storeWatch
	// reloading is held while opts.Users change or the server takes opts anew.
	reloading sync.Mutex

	cluster *Cluster // nil: a single server

	stopOnce sync.Once
	stopped  chan struct{}
	stopErr  error
}

// Start returns when clients can connect. A taken port, a data directory in
// use ([ErrInUse]) or a damaged store is an error, and leaves nothing running.
func Start(ctx context.Context, opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded bus: make data directory: %w", err)
	}
	lock, err := lockDir(opts.DataDir)
	if err != nil {
		return nil, err
	}
	srv, err := start(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	srv.lock = lock
	srv.watchStore()
	return srv, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.DataDir == "" {
		return o, errors.New("embedded bus: DataDir: expected a directory")
	}
	if o.Port < 0 || o.Port > 65535 {
		return o, fmt.Errorf("embedded bus: Port: expected 0 to 65535, got %d", o.Port)
	}
	if o.Cluster != nil {
		if err := o.Cluster.check(o.Passwords, o.Users); err != nil {
			return o, err
		}
	}
	if o.Host == "" {
		o.Host = defaultHost
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = defaultMaxPayload
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("component", "nats-server")
	return o, nil
}

func start(ctx context.Context, opts Options) (*Server, error) {
	if err := checkStore(opts); err != nil {
		return nil, err
	}
	creds, err := loadOrCreateCredentials(opts.DataDir, opts.ServerName, opts.Passwords)
	if err != nil {
		return nil, err
	}
	so, err := serverOptions(opts, creds)
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(so)
	if err != nil {
		return nil, fmt.Errorf("embedded bus: %w", err)
	}
	srv := &Server{nats: ns, opts: opts, creds: creds, log: opts.Logger, cluster: opts.Cluster,
		adapter: &slogAdapter{log: opts.Logger}, staging: newStaging(opts), stopped: make(chan struct{})}
	if err := srv.run(ctx, opts); err != nil {
		srv.staging.close()
		return nil, err
	}
	sweep(memories())
	return srv, nil
}

// run starts the server and waits until it serves. The server's Start returns
// once it listens, or has logged the fatal error that kept it from it.
func (s *Server) run(ctx context.Context, opts Options) error {
	s.nats.SetLoggerV2(s.adapter, false, false, false)
	hastenElections()
	s.nats.Start()
	err := s.adapter.fatalError()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && !s.nats.ReadyForConnections(readyWait(ctx)) {
		err = errors.New("not ready for connections")
	}
	if err == nil {
		return nil
	}
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	return fmt.Errorf("embedded bus at %s: %w", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)), err)
}

func readyWait(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return 10 * time.Second
}

// SetUsers replaces those who are let in, at once: connections of users that
// are gone, or whose key is another, are closed. It is not for a server that
// was started without Users.
func (s *Server) SetUsers(users string) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	opts := s.opts
	if opts.Users == "" || users == "" {
		return errors.New("embedded bus: set users: expected a server with users, and users")
	}
	opts.Users = users
	if err := s.take(opts); err != nil {
		return fmt.Errorf("embedded bus: set users: %w", err)
	}
	s.opts.Users = users
	return nil
}

// reload has the server take the options that it has.
func (s *Server) reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.take(s.opts)
}

func (s *Server) take(opts Options) error {
	so, err := serverOptions(opts, s.creds)
	if err != nil {
		return err
	}
	return s.nats.ReloadOptions(so)
}

// StageInMemory has the batches of streams that have just been made staged in
// memory, where there is some for it. Without it that is done within a second,
// if the server is not busy with batches all the time.
func (s *Server) StageInMemory() { s.staging.look() }

// ClientURL is where clients of other processes connect.
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// Addr is the host and port of [Server.ClientURL].
func (s *Server) Addr() net.Addr { return s.nats.Addr() }

// Name is the server's, as in its advisories.
func (s *Server) Name() string { return s.creds.ServerName }

// InProcessConn makes a *Server a [nats.InProcessConnProvider]: connections
// that need no socket, whatever the server listens on.
func (s *Server) InProcessConn() (net.Conn, error) {
	conn, err := s.nats.InProcessConn()
	if err != nil {
		return nil, err
	}
	return newBufferedPipe(conn), nil
}

// AtlasCredentials log in to the account of the control plane.
func (s *Server) AtlasCredentials() UserPassword { return s.creds.Atlas }

// SysCredentials log in to the account of the server's advisories.
func (s *Server) SysCredentials() UserPassword { return s.creds.Sys }

// AppCredentials log in to the account of services and clients, where
// connections without credentials are refused.
func (s *Server) AppCredentials() UserPassword { return s.creds.App }

// AtlasOptions connect in process to the account of the control plane.
func (s *Server) AtlasOptions() bus.Options { return s.options(s.creds.Atlas) }

// AppOptions connect in process to the account of services and clients.
func (s *Server) AppOptions() bus.Options { return s.options(s.creds.App) }

func (s *Server) options(login UserPassword) bus.Options {
	return bus.Options{InProcess: s, User: login.User, Password: login.Password, Logger: s.log}
}

// Stop closes the connections and the store, then lets go of the data
// directory. It waits until ctx is done, or ten seconds if that has no
// deadline; the shutdown goes on if it took longer. Later calls wait for the
// same shutdown.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { go s.shutdown() })
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultStopWait)
		defer cancel()
	}
	select {
	case <-s.stopped:
		return s.stopErr
	case <-ctx.Done():
		return fmt.Errorf("embedded bus: stop: %w", ctx.Err())
	}
}

func (s *Server) shutdown() {
	defer close(s.stopped)
	s.watch.close()
	if s.cluster != nil {
		// What this node leads goes to the others before its clients do.
		s.nats.LameDuckShutdown()
	}
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	s.staging.close()
	if err := s.lock.Close(); err != nil {
		s.stopErr = fmt.Errorf("embedded bus: release data directory: %w", err)
	}
}
