package main

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar/roster"
	"fairlead.dev/sidecar/takeover"
)

// newSidecarCommand runs the proxy that every host has.
func newSidecarCommand(set *settings) *cobra.Command {
	var of sidecarFlags
	c := &cobra.Command{
		Use:   "sidecar",
		Short: "Run the proxy through which programs of this host call services by name",
		Example: `  fairlead sidecar --addr 127.0.0.1:4000
  fairlead sidecar --services identity,billing
  fairlead sidecar --plane haproxy
  fairlead sidecar --plane haproxy --haproxy-socket /var/lib/fairlead/haproxy.sock --data /var/lib/fairlead --print-config > /dev/null
  fairlead sidecar --unix /run/fairlead/sidecar.sock --port identity=4100
  fairlead sidecar --services-d /etc/fairlead/services.d
  curl -H 'Fairlead-Service: identity' http://127.0.0.1:4000/users/1
  http_proxy=http://127.0.0.1:4000 curl http://identity.service/users/1`,
		RunE: func(c *cobra.Command, _ []string) error { return runSidecar(c.Context(), set, of) },
	}
	of.add(c)
	c.AddCommand(newSidecarStatusCommand(set), newSidecarUpgradeCommand(set))
	return c
}

type sidecarFlags struct {
	addr, readyFile string
	servicesDir     string
	dns             string
	zone            string
	services        []string
	wholeRealm      bool
	plane           planeFlags
	ways            waysIn
}

func (f *sidecarFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:4000", "where it listens; port 0 picks one")
	lookUp(flags, "addr") // which is where a service listens
	lookUpFormer(flags, "addr")
	flags.StringVar(&f.readyFile, "ready-file", "", "file that gets the address as JSON once it answers")
	flags.StringSliceVar(&f.services, "services", nil, "services to follow from the start; others are from their first use")
	flags.StringVar(&f.servicesDir, "services-d", "", "directory of YAML files that declare programs of this host; the sidecar keeps them registered")
	flags.StringVar(&f.dns, "dns", "", "where to answer DNS queries for NAME.service over UDP and TCP, such as 127.0.0.1:4053 (default: nowhere)")
	flags.StringVar(&f.zone, "zone", "", "where this host stands; instances of the same zone come first")
	f.ways.add(c)
	flags.BoolVar(&f.wholeRealm, "whole-realm", false, "follow every service of the realm")
	f.plane.add(flags)
}

func (f *sidecarFlags) check() error {
	for _, service := range f.services {
		if err := registry.ValidateName("--services", service); err != nil {
			return usageError{err}
		}
	}
	if f.wholeRealm && len(f.services) > 0 {
		return usagef("--services: must not be given with --whole-realm, which has them all")
	}
	if err := f.plane.check(); err != nil {
		return err
	}
	if f.dns != "" {
		if err := loopbackOnly("dns", f.dns); err != nil {
			return err
		}
	}
	if err := loopbackOnly("addr", f.addr); err != nil {
		return err
	}
	return f.ways.check()
}

func runSidecar(ctx context.Context, set *settings, of sidecarFlags) (err error) {
	began := time.Now()
	if err := of.check(); err != nil {
		return err
	}
	if of.plane.print {
		return of.printConfig(ctx, set)
	}
	asked, forget := upgrades()
	defer forget()
	floor := heapFloor()
	defer runtime.KeepAlive(floor)
	process, err := takeover.FromEnvironment(takeover.Options{Logger: set.logger()})
	if err != nil {
		return err
	}
	m, err := newMetrics()
	if err != nil {
		return err
	}
	session, err := connect.Open(ctx, set.lead(connect.Options{
		Name: "sidecar", WholeRealm: of.followsAll(), Services: of.following(process.State()), Cache: set.cache, MeterProvider: m.provider,
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession(session)) }()
	own := http.NewServeMux()
	carrier, err := of.newCarrier(ctx, set, process, session, m, own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, carrier.close()) }()
	l := &hostLife{set: set, process: process, session: session, carrier: carrier, car: newSidecar(set, session, carrier.plane, m, own), asked: asked, readyFile: of.readyFile, began: began}
	if of.dns != "" {
		names, err := newNameserver(set, process, session, of.dns)
		if err != nil {
			return err
		}
		l.others = append(l.others, names.Run)
	}
	if of.servicesDir != "" {
		l.roster = newRoster(set, session, of.servicesDir, own)
	}
	return l.run(ctx)
}

// followsAll tells whether every service of the realm is followed. HAProxy
// cannot ask for one that it meets for the first time.
func (f *sidecarFlags) followsAll() bool {
	return f.wholeRealm || f.plane.isHAProxy() && len(f.services) == 0
}

// following adds what the process before this one had come to follow, so that
// nobody waits for a first use again.
func (f *sidecarFlags) following(before string) []string {
	services := slices.Clone(f.services)
	if f.followsAll() {
		return services
	}
	for service := range strings.SplitSeq(before, ",") {
		if registry.ValidateName("service", service) == nil && !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	return services
}

// heapFloor returns memory that is never touched, so it stays virtual, but
// counts in the heap: the garbage collector waits until as much again has been
// allocated. A proxy keeps little and allocates a lot; without a floor it
// collects dozens of times a second, which is a tenth of its processor time.
func heapFloor() []byte { return make([]byte, 24<<20) }

// newRoster attends the programs that a directory declares, and tells of them
// under the sidecar's own address.
func newRoster(set *settings, session *connect.Session, dir string, own *http.ServeMux) *roster.Roster {
	r := roster.New(roster.Options{
		Dir: dir, Realm: set.realm, Logger: set.logger(),
		Atlas: session.Atlas(), Beater: session.Atlas(), OnConnect: session.Bus().OnConnect,
	})
	own.Handle("GET /attended", r)
	return r
}

func closeSession(s *connect.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	return s.Close(ctx)
}
