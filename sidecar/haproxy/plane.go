package haproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"fairlead.dev/registry"
)

// ErrRejected says that HAProxy does not take a configuration. The one before
// stays in force.
var ErrRejected = errors.New("haproxy rejects its configuration")

// Options of a plane. Realm, Addr, Data and Aside are required.
type Options struct {
	// Realm is that of the tables.
	Realm string
	// Addr is where to listen, "host:port"; port 0 picks one.
	Addr string
	// Doors are where it listens too.
	Doors []Door
	// Listen opens an address or a door; the default is net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// MaxConnections bounds the callers' connections at each address; more wait
	// until one ends. The default is 16,384. All together have as many as the
	// files that HAProxy may open allow.
	MaxConnections int
	// Attach is the runtime socket, of level admin, of a HAProxy that somebody
	// else runs from what [Configuration] returns; "" is for one of the plane's
	// own. It is never started, reloaded or stopped.
	Attach string
	// Data is the folder in which HAProxy runs, or has its files. Nobody else may
	// write there.
	Data string
	// Program is HAProxy's; the default is haproxy, in the PATH.
	Program string
	// Keep leaves HAProxy running when the plane stops, for the next one.
	Keep bool
	// Zone is where this host stands; instances of the same zone get nearly all
	// requests, as far as weights can say so. Aside has to know it too.
	Zone string
	// Hosts are further host names under which this listener is reached.
	Hosts []string
	// Aside answers what HAProxy hands over; it is required.
	Aside Aside
	// Realms are further realms whose services may be named by host, and Others
	// lets hosts that are no services pass, and tunnels to them. Aside has to
	// know them too.
	Realms []string
	Others bool
	// Grace is how long requests in flight may take to end on a stop; the
	// default is 10 s.
	Grace time.Duration
	// Hurry ends that wait when it ends; nil never does.
	Hurry context.Context
	// Compare is how often HAProxy is asked what it has; the default is 2 s.
	Compare time.Duration
	// Quarantine is how long a server without an instance stays in
	// maintenance at least; the default, and the least that is safe, is 2 s.
	Quarantine time.Duration
	// Retire is how long a worker that a reload has replaced may answer
	// requests on connections that were idle then; the default is 10 s.
	Retire time.Duration
	// Spare is how many slots there are at least beyond those in use; the
	// default is 64.
	Spare int
	// Logger is slog.Default by default.
	Logger *slog.Logger
	// MeterProvider is OpenTelemetry's global one by default.
	MeterProvider metric.MeterProvider

	resolve resolve // for tests
}

func (o Options) withDefaults() Options {
	if o.Program == "" {
		o.Program = "haproxy"
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 16 << 10
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Hurry == nil {
		o.Hurry = context.Background()
	}
	if o.Compare <= 0 {
		o.Compare = 2 * time.Second
	}
	if o.Quarantine <= 0 {
		o.Quarantine = 2 * time.Second
	}
	if o.Retire <= 0 {
		o.Retire = 10 * time.Second
	}
	if o.Spare <= 0 {
		o.Spare = 64
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// prepared returns options that are complete and checked.
func (o Options) prepared() (Options, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return o, err
	}
	return o.absolute()
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

func (o Options) check() error {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("realm", o.Realm))
	for _, host := range o.Hosts {
		if !hostName.MatchString(host) {
			errs.Addf("hosts", "must be lower-case host names, got %q", host)
		}
	}
	for _, realm := range o.Realms {
		errs.Add(registry.ValidateName("realms", realm))
	}
	if o.Data == "" {
		errs.Addf("data", "must name a folder, in which HAProxy runs")
	}
	if o.Addr == "" {
		errs.Addf("addr", "must be host:port")
	}
	for _, d := range o.Doors {
		errs.Add(d.check())
	}
	if o.Attach != "" {
		o.checkAttach(&errs)
	}
	return errs.Err()
}

// checkAttach: what somebody else starts cannot tell where it listens.
func (o Options) checkAttach(errs *registry.FieldErrors) {
	if n := len(o.Attach); n > maxSocketPath {
		errs.Addf("--haproxy-socket", "must be at most %d characters long, as the path of a socket, got %d", maxSocketPath, n)
	}
	for _, d := range o.doors() {
		if _, port, err := net.SplitHostPort(d.Address); d.Network == "tcp" && (err != nil || port == "0") {
			errs.Addf("addr", "must name a port, on which a haproxy listens that somebody else runs, got %q", d.Address)
		}
	}
}

// absolute has paths mean the same to whoever else starts HAProxy.
func (o Options) absolute() (Options, error) {
	var err error
	if o.Data, err = filepath.Abs(o.Data); err != nil || o.Attach == "" {
		return o, err
	}
	o.Doors = slices.Clone(o.Doors)
	for i, d := range o.Doors {
		if d.Network == "unix" && err == nil {
			o.Doors[i].Address, err = filepath.Abs(d.Address)
		}
	}
	if err == nil {
		o.Attach, err = filepath.Abs(o.Attach)
	}
	return o, err
}

// descriptors is how many files HAProxy needs beside those of its connections.
const descriptors = 512

func (o Options) structureOf(doors []Door, slots int) structure {
	s := structure{
		realm: o.Realm, doors: doors, hosts: o.Hosts, realms: o.Realms, others: o.Others, slots: slots, most: o.MaxConnections,
	}
	if o.Attach != "" {
		// How many files it may open is its own affair.
		s.at = place{folder: o.Data, socket: o.Attach}
		return s
	}
	// A request needs two, and HAProxy does not start with fewer.
	s.maxConn = max(min(20_000, (openFiles()-descriptors)/2), 64)
	s.most = min(s.most, s.maxConn)
	return s
}

// A Plane is a sidecar.DataPlane that HAProxy carries.
type Plane struct {
	opts Options
	in   folder
	api  runtimeAPI
	log  *slog.Logger
	// since is from when on requests are counted.
	since time.Time
	// ledger adds up what HAProxy counts.
	ledger *ledger
	names  *names
	offer  chan offer
	up     chan struct{}

	mu      sync.Mutex
	running bool
	first   *registry.Table // applied before Run
	status  Status
}

// An offer is one table on its way to the goroutine that owns HAProxy.
type offer struct {
	table *registry.Table
	done  chan error
}

// New returns a plane that starts HAProxy, or attaches to one, once it runs.
func New(opts Options) (*Plane, error) {
	opts, err := opts.prepared()
	if err == nil && opts.Aside == nil {
		err = &registry.FieldError{Field: "aside", Problem: "must answer what haproxy hands over"}
	}
	if err != nil {
		return nil, fmt.Errorf("haproxy plane: %w", err)
	}
	in := folder{opts.Data}
	api := runtimeAPI{in.file(runtimeSock)}
	if opts.Attach != "" {
		api = runtimeAPI{opts.Attach}
	}
	return &Plane{
		opts: opts, in: in, api: api, since: time.Now(), ledger: newLedger(api), log: opts.Logger.With("component", "haproxy"),
		names: newNames(opts.resolve), offer: make(chan offer), up: make(chan struct{}),
	}, nil
}

// A Status is what a plane tells of HAProxy.
type Status struct {
	// Addr is where it listens, and Doors where it does too.
	Addr  string   `json:"addr"`
	Doors []string `json:"doors,omitempty"`
	// Problem says why HAProxy cannot be asked, and Warning that whoever runs it
	// has to reload it, and for what.
	Problem string `json:"problem,omitempty"`
	Warning string `json:"warning,omitempty"`
	// Adopted tells that it was running before this sidecar.
	Adopted bool `json:"adopted,omitempty"`
	// Starts and Reloads count those of this sidecar's time; Last is when the
	// last of them was, and Why what it was for.
	Starts  int       `json:"starts"`
	Reloads int       `json:"reloads"`
	Last    time.Time `json:"last,omitzero"`
	Why     string    `json:"why,omitempty"`
	// Repairs counts the comparisons that found HAProxy other than it was left.
	Repairs int `json:"repairs"`
	// Leaving counts servers without an instance that are not deleted yet.
	Leaving int `json:"leaving"`
	// Unfit are instances, as service/id, that HAProxy cannot be given.
	Unfit []string `json:"unfit,omitempty"`
}

// Status may be called at any time.
func (p *Plane) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *Plane) note(change func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
}

// Up is closed once HAProxy takes requests for the first time.
func (p *Plane) Up() <-chan struct{} { return p.up }

// Apply makes HAProxy equal to a table, and what stands beside it. It returns
// once that is so.
func (p *Plane) Apply(ctx context.Context, table *registry.Table) error {
	if err := p.opts.Aside.Apply(ctx, table); err != nil {
		return fmt.Errorf("apply a table beside haproxy: %w", err)
	}
	p.mu.Lock()
	if !p.running {
		p.first = table
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	o := offer{table: table, done: make(chan error, 1)}
	select {
	case p.offer <- o:
	case <-ctx.Done():
		return fmt.Errorf("apply a table to haproxy: %w", ctx.Err())
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("apply a table to haproxy: %w", ctx.Err())
	}
}
