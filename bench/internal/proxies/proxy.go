package proxies

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fairlead.dev/bench/internal/process"
)

// The cores: proxies are alone on theirs, the backend and the load share the
// other.
const (
	ProxyCore = "0"
	LoadCore  = "1"
)

// Programs are what has to be built first.
type Programs struct{ Fairlead, Caddy string }

// A Place is what a proxy is given.
type Place struct {
	Dir      string
	Backends []int // ports on loopback
}

// A Proxy is one of those that are compared.
type Proxy struct {
	Name string
	// Peer is what ours are compared with.
	Peer bool
	// version prints the program's version; it may say more than one line.
	version []string
	// command writes what configuration it needs into a folder, and returns
	// what runs the proxy on a port.
	command func(p Place, dir string, port int) ([]string, error)
}

// A Running is a proxy, or the backend itself.
type Running struct {
	Proxy
	Child *process.Child
	port  int
}

// Address is where it listens.
func (r *Running) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// URL is that of its root.
func (r *Running) URL() string { return "http://" + r.Address() + "/" }

// Stop ends it.
func (r *Running) Stop() { r.Child.Stop(15 * time.Second) }

// All returns every proxy, ours first.
func All(p Programs) []Proxy {
	return []Proxy{builtin(p), haproxyPlane(p), handHAProxy(), nginxProxy(), caddy(p)}
}

// Version asks the program.
func (p Proxy) Version(ctx context.Context) (string, error) {
	if len(p.version) == 1 {
		return p.version[0], nil
	}
	out, err := exec.CommandContext(ctx, p.version[0], p.version[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", p.Name, err)
	}
	return line, nil
}

// Start starts a proxy and waits until it answers for a service.
func (p Proxy) Start(ctx context.Context, place Place) (*Running, error) {
	return p.start(ctx, place, ProxyCore)
}

func (p Proxy) start(ctx context.Context, place Place, core string) (*Running, error) {
	dir, err := os.MkdirTemp(place.Dir, p.Name+"-")
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	command, err := p.command(place, dir, port)
	if err != nil {
		return nil, err
	}
	child, err := process.Start(process.Spec{
		Path: "taskset", Args: append([]string{"-c", core}, command...), Log: filepath.Join(dir, "log"),
	})
	if err != nil {
		return nil, err
	}
	r := &Running{Proxy: p, Child: child, port: port}
	if err := Await(ctx, r.URL()); err != nil {
		r.Stop()
		said, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("%s: %w: %.500s", p.Name, err, said)
	}
	return r, nil
}

const startWithin = 20 * time.Second

var errSilent = errors.New("does not answer")

// Await waits for a first good answer.
func Await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if ask(ctx, url) == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errSilent
		}
	}
}

func ask(ctx context.Context, url string) error {
	req, err := request(ctx, url)
	if err != nil {
		return err
	}
	req.Close = true
	return send(http.DefaultClient, req)
}

// Backend starts what answers behind the proxies.
func Backend(ctx context.Context, dir string, instances int) (*Running, Place, error) {
	place := Place{Dir: dir}
	for range instances {
		port, err := process.FreePort()
		if err != nil {
			return nil, place, err
		}
		place.Backends = append(place.Backends, port)
	}
	r, err := nginxBackend().start(ctx, place, LoadCore)
	return r, place, err
}

func write(dir, name, text string) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}
