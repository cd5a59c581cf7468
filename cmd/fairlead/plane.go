package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
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
	keep                bool
}

func (f *planeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.kind, "plane", "builtin", "what carries the requests: builtin, or haproxy, which follows the whole realm unless --services says less")
	flags.StringVar(&f.data, "data", filepath.Join(stateDir(), "sidecar"), "directory in which haproxy runs")
	flags.StringVar(&f.program, "haproxy", "haproxy", "path of haproxy, 2.6 or newer")
	flags.BoolVar(&f.keep, "keep-haproxy", false, "leave haproxy running when the sidecar stops, for the next one on the same --data")
}

// planeHAProxy is what --plane and a sidecar's status call it.
const planeHAProxy = "haproxy"

func (f *planeFlags) isHAProxy() bool { return f.kind == planeHAProxy }

func (f *planeFlags) check() error {
	if f.kind != "builtin" && !f.isHAProxy() {
		return usagef("--plane: must be builtin or haproxy, got %q", f.kind)
	}
	return nil
}

// A carrier is a plane, ready to run.
type carrier struct {
	plane sidecar.DataPlane
	// ready waits until it listens, and tells where.
	ready func(context.Context) (ready, error)
	close func() error
	// full tells whether it has all the connections that it may have.
	full func() bool
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
		Resolver: session.Table(), Listener: listener, Doors: entrance.doors, Realms: entrance.realms, ProxyOthers: f.ways.others, MaxConnections: f.ways.most,
	})
	if err != nil {
		closeQuietly(listener)
		return carrier{}, errors.Join(err, entrance.close())
	}
	at := newReady("", "", httpURL(listener))
	return carrier{
		plane: plane, inherits: true, full: plane.Full, close: func() error { closeQuietly(listener); return entrance.close() },
		ready: func(context.Context) (ready, error) { return at, nil },
	}, nil
}

func (f *sidecarFlags) newHAProxy(ctx context.Context, set *settings, process *takeover.Process, m *metrics, own *http.ServeMux) (carrier, error) {
	entrance, err := f.ways.openBeside(ctx, set, m)
	if err != nil {
		return carrier{}, err
	}
	aside, err := newBuiltin(set, m, own, builtin.Options{Realms: entrance.realms, ProxyOthers: f.ways.others})
	if err != nil {
		return carrier{}, errors.Join(err, entrance.close())
	}
	hurry, forget := secondSignal()
	plane, err := haproxy.New(haproxy.Options{
		Hurry: hurry,
		Realm: set.realm, Addr: f.addr, Doors: f.ways.doors(f.addr), Listen: listenFor(process), MaxConnections: f.ways.most,
		Data: filepath.Join(f.plane.data, "haproxy"), Program: f.plane.program, Keep: f.plane.keep,
		Aside: aside, Realms: slices.Sorted(maps.Keys(entrance.realms)), Others: f.ways.others, Logger: set.logger(), MeterProvider: m.provider,
	})
	if err != nil {
		forget()
		return carrier{}, errors.Join(err, entrance.close())
	}
	m.further.from.Store(plane)
	return carrier{plane: plane, full: plane.Full, close: func() error { forget(); return entrance.close() }, ready: func(ctx context.Context) (ready, error) {
		select {
		case <-plane.Up():
			return newReady("", "", "http://"+plane.Status().Addr), nil
		case <-ctx.Done():
			return ready{}, ctx.Err()
		}
	}}, nil
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
