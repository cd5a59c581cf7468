package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/sidecar/haproxy"
	"fairlead.dev/sidecar/takeover"
)

// waysIn are the flags of how programs come to a sidecar, besides its address.
type waysIn struct {
	realms, ports []string
	unix          string
	others        bool
	most          int
}

func (f *waysIn) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVar(&f.realms, "realms", nil, "further realms that may be named by host, as NAME.REALM.service")
	flags.StringSliceVar(&f.ports, "port", nil, "a service's own port, like identity=4100, beside --addr; may be repeated")
	lookUp(flags, "port") // FAIRLEAD_PORT is where a service listens
	flags.StringVar(&f.unix, "unix", "", "path of a socket to listen on too, for its owner and group")
	flags.BoolVar(&f.others, "proxy-others", false, "as http_proxy, let hosts that are no services pass, and tunnels to them")
	flags.IntVar(&f.most, "max-connections", 16384, "callers' connections at a time on each listener; one more takes the place of an idle one, or is told that all are at work")
}

func (f *waysIn) check() error {
	for _, realm := range f.realms {
		if err := registry.ValidateName("--realms", realm); err != nil {
			return usageError{err}
		}
	}
	for _, port := range f.ports {
		if _, _, err := portOf(port); err != nil {
			return err
		}
	}
	if f.most < 1 {
		return usagef("--max-connections: must be at least 1, got %d", f.most)
	}
	return nil
}

// foreign are the realms besides one's own, sorted.
func (f *waysIn) foreign(own string) []string {
	realms := slices.DeleteFunc(slices.Clone(f.realms), func(realm string) bool { return realm == own })
	slices.Sort(realms)
	return slices.Compact(realms)
}

// portOf reads "identity=4100".
func portOf(text string) (service, port string, err error) {
	service, port, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", usagef("--port: must be SERVICE=PORT, got %q", text)
	}
	if err := registry.ValidateName("--port", service); err != nil {
		return "", "", usageError{err}
	}
	_, _, err = splitAddress("port", net.JoinHostPort("", port))
	return service, port, err
}

// An entrance is the further ways in, opened.
type entrance struct {
	doors    []builtin.Door
	realms   map[string]registry.Resolver
	sessions []*connect.Session
}

func (e *entrance) close() (err error) {
	for _, d := range e.doors {
		closeQuietly(d.Listener)
	}
	for _, s := range e.sessions {
		err = errors.Join(err, closeSession(s))
	}
	return err
}

// open opens all ways, or none.
func (f *waysIn) open(ctx context.Context, set *settings, process *takeover.Process, m *metrics, addr string) (*entrance, error) {
	e := &entrance{realms: map[string]registry.Resolver{}}
	err := errors.Join(e.openPorts(process, f.ports, addr), e.openUnix(process, f.unix))
	if err == nil {
		err = e.follow(ctx, f.realms, set, m)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// doors are the further addresses of HAProxy, beside addr; it opens them only if
// none runs that has them.
func (f *waysIn) doors(addr string) (list []haproxy.Door) {
	host, _, _ := net.SplitHostPort(addr)
	for _, text := range f.ports {
		service, port, _ := portOf(text)
		list = append(list, haproxy.Door{Network: "tcp", Address: net.JoinHostPort(host, port), Service: service})
	}
	if f.unix != "" {
		list = append(list, haproxy.Door{Network: "unix", Address: f.unix})
	}
	return list
}

// listenFor opens addresses of HAProxy, as those of the built-in plane are.
func listenFor(process *takeover.Process) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		if network == "unix" {
			return listenUnix(process, address)
		}
		return process.Listen(network, address)
	}
}

// openBeside opens what a plane does not listen for by itself.
func (f *waysIn) openBeside(ctx context.Context, set *settings, m *metrics) (*entrance, error) {
	e := &entrance{realms: map[string]registry.Resolver{}}
	if err := e.follow(ctx, f.realms, set, m); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *entrance) openPorts(process *takeover.Process, ports []string, addr string) error {
	host, _, err := splitAddress("addr", addr)
	if err != nil {
		return err
	}
	for _, text := range ports {
		service, port, _ := portOf(text)
		l, err := listenBy(process.Listen, "port", net.JoinHostPort(host, port))
		if err != nil {
			return err
		}
		e.doors = append(e.doors, builtin.Door{Listener: l, Service: service})
	}
	return nil
}

func (e *entrance) openUnix(process *takeover.Process, path string) error {
	if path == "" {
		return nil
	}
	l, err := listenUnix(process, path)
	if err != nil {
		return err
	}
	e.doors = append(e.doors, builtin.Door{Listener: l})
	return nil
}

// socketMode lets in the sidecar's user and group; until it is set only the
// user can connect.
const socketMode = 0o660

// listenUnix takes the place of a socket that nobody listens on any more.
func listenUnix(process *takeover.Process, path string) (net.Listener, error) {
	if !process.Inherits("unix", path) {
		if err := removeDead(path); err != nil {
			return nil, fmt.Errorf("--unix: %w", err)
		}
	}
	l, err := process.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("--unix: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		closeQuietly(l)
		return nil, fmt.Errorf("--unix: %w", err)
	}
	return l, nil
}

func removeDead(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		closeQuietly(conn)
		return fmt.Errorf("%s is in use; is another fairlead running?", path)
	}
	return os.Remove(path)
}

// follow opens the tables of further realms, each by a session of its own.
func (e *entrance) follow(ctx context.Context, realms []string, set *settings, m *metrics) error {
	for _, realm := range realms {
		if realm == set.realm || e.realms[realm] != nil {
			continue
		}
		opts := set.lead(connect.Options{Name: "sidecar", Cache: set.cache, MeterProvider: m.provider})
		opts.Realm = realm
		session, err := connect.Open(ctx, opts)
		if err != nil {
			return err
		}
		e.sessions = append(e.sessions, session)
		e.realms[realm] = session.Table()
	}
	return nil
}
