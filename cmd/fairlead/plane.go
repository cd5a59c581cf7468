package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/trace/noop"

	"fairlead.dev/connect"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/sidecar/haproxy"
	"fairlead.dev/sidecar/takeover"
)

// planeFlags say what carries a sidecar's requests.
type planeFlags struct {
	kind, data, program string
	// socket is that of a haproxy which somebody else runs.
	socket      string
	keep, print bool
}

func (f *planeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.kind, "plane", "builtin", "what carries the requests: builtin, or haproxy, which follows the whole realm unless --services says less")
	flags.StringVar(&f.data, "data", filepath.Join(stateDir(), "sidecar"), "directory in which haproxy runs")
	lookUp(flags, "data") // which is the registry's
	lookUpFormer(flags, "data")
	flags.StringVar(&f.program, "haproxy", "haproxy", "path of haproxy, 2.6 or newer")
	flags.StringVar(&f.socket, "haproxy-socket", "", "attach to the haproxy with this runtime socket, which somebody else runs from what --print-config prints; it is not started, reloaded or stopped")
	flags.BoolVar(&f.print, "print-config", false, "print the configuration for --haproxy-socket, leave it in --data too, and end")
	flags.BoolVar(&f.keep, "keep-haproxy", false, "leave haproxy running when the sidecar stops, for the next one on the same --data")
}

// planeHAProxy is what --plane and a sidecar's status call it.
const planeHAProxy = "haproxy"

func (f *planeFlags) isHAProxy() bool { return f.kind == planeHAProxy }

func (f *planeFlags) check() error {
	if f.kind != "builtin" && !f.isHAProxy() {
		return usagef("--plane: must be builtin or haproxy, got %q", f.kind)
	}
	switch attaches := f.socket != ""; {
	case attaches && !f.isHAProxy():
		return usagef("--haproxy-socket: needs --plane haproxy")
	case attaches && f.keep:
		return usagef("--keep-haproxy: must not be given with --haproxy-socket, where haproxy is left as it is anyway")
	case f.print && !attaches:
		return usagef("--print-config: needs --haproxy-socket, which becomes part of the configuration")
	}
	return nil
}

// A carrier is a plane, ready to run.
type carrier struct {
	plane sidecar.DataPlane
	// ready waits until it listens, and tells where.
	ready func(context.Context) (ready, error)
	close func() error
	// excused tells whether it need not answer at its address: it has all the
	// connections that it may have, or is not for this process to mend.
	excused func() bool
	// inherits tells whether its listeners can be handed to a successor.
	inherits bool
}

func (f *sidecarFlags) newCarrier(ctx context.Context, set *settings, process *takeover.Process, session *connect.Session, m *metrics, own *http.ServeMux) (carrier, error) {
	if f.plane.isHAProxy() {
		return f.newHAProxy(ctx, set, process, m, own)
	}
	return f.newBuiltin(ctx, set, process, session, m, own)
}

// newBuiltin makes a built-in plane of a sidecar's own realm.
func newBuiltin(set *settings, m *metrics, own *http.ServeMux, opts builtin.Options) (*builtin.Plane, error) {
	opts.Realm, opts.Logger = set.realm, set.logger()
	opts.MeterProvider, opts.Own = m.provider, own
	// Nothing here exports spans; traces pass through as headers.
	opts.TracerProvider = noop.NewTracerProvider()
	return builtin.New(opts)
}

// newSidecar ties a plane to a table. The plane's own paths are filled in
// last, because they tell of the sidecar around it.
func newSidecar(set *settings, session *connect.Session, plane sidecar.DataPlane, m *metrics, own *http.ServeMux) *sidecar.Sidecar {
	car := sidecar.New(plane, session.Table(), sidecar.Options{Logger: set.logger(), Explainer: session.Atlas(), Version: programVersion()})
	car.Mount(own, m.handler())
	return car
}

func (f *sidecarFlags) newBuiltin(ctx context.Context, set *settings, process *takeover.Process, session *connect.Session, m *metrics, own *http.ServeMux) (carrier, error) {
	listener, err := listenBy(process.Listen, "addr", f.addr)
	if err != nil {
		return carrier{}, err
	}
	entrance, err := f.ways.open(ctx, set, process, m, f.addr)
	if err != nil {
		closeQuietly(listener)
		return carrier{}, err
	}
	plane, err := newBuiltin(set, m, own, builtin.Options{
		Resolver: session.Table(), Listener: listener, Doors: entrance.doors, Realms: entrance.realms, ProxyOthers: f.ways.others, MaxConnections: f.ways.most, Zone: f.zone,
	})
	if err != nil {
		closeQuietly(listener)
		return carrier{}, errors.Join(err, entrance.close())
	}
	at := newReady("", "", httpURL(listener))
	return carrier{
		plane: plane, inherits: true, excused: plane.Full, close: func() error { closeQuietly(listener); return entrance.close() },
		ready: func(context.Context) (ready, error) { return at, nil },
	}, nil
}

func (f *sidecarFlags) newHAProxy(ctx context.Context, set *settings, process *takeover.Process, m *metrics, own *http.ServeMux) (carrier, error) {
	entrance, err := f.ways.openBeside(ctx, set, m)
	if err != nil {
		return carrier{}, err
	}
	aside, err := newBuiltin(set, m, own, builtin.Options{Realms: entrance.realms, ProxyOthers: f.ways.others, Zone: f.zone})
	if err != nil {
		return carrier{}, errors.Join(err, entrance.close())
	}
	hurry, forget := secondSignal()
	opts := f.optionsOfHAProxy(set)
	opts.Hurry, opts.Listen, opts.Aside, opts.MeterProvider = hurry, listenFor(process), aside, m.provider
	plane, err := haproxy.New(opts)
	if err != nil {
		forget()
		return carrier{}, errors.Join(err, entrance.close())
	}
	m.further.from.Store(plane)
	excused := func() bool { return plane.Full() || opts.Attach != "" && plane.Status().Problem != "" }
	return carrier{plane: plane, excused: excused, close: func() error { forget(); return entrance.close() }, ready: func(ctx context.Context) (ready, error) {
		select {
		case <-plane.Up():
			return newReady("", "", "http://"+plane.Status().Addr), nil
		case <-ctx.Done():
			return ready{}, ctx.Err()
		}
	}}, nil
}

// optionsOfHAProxy are those that its configuration depends on, and more.
func (f *sidecarFlags) optionsOfHAProxy(set *settings) haproxy.Options {
	return haproxy.Options{
		Realm: set.realm, Addr: f.addr, Doors: f.ways.doors(f.addr), MaxConnections: f.ways.most,
		Data: filepath.Join(f.plane.data, "haproxy"), Program: f.plane.program, Attach: f.plane.socket, Keep: f.plane.keep,
		Realms: f.ways.foreign(set.realm), Others: f.ways.others, Zone: f.zone, Logger: set.logger(),
	}
}

// printConfig prints what the haproxy at --haproxy-socket is to be given.
func (f *sidecarFlags) printConfig(ctx context.Context, set *settings) error {
	config, err := haproxy.Configuration(ctx, f.optionsOfHAProxy(set))
	if err != nil {
		return err
	}
	_, err = set.out.Write(config)
	return err
}

// secondSignal returns a context that ends with the second signal to end. The
// first one ends the sidecar; if the second one ended the process at once, as
// it does elsewhere, haproxy would be left behind.
func secondSignal() (ctx context.Context, forget func()) {
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan os.Signal, 2)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 {
			select {
			case <-asked:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, func() { signal.Stop(asked); cancel() }
}
