package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"fairlead.dev/examples/greeting"
)

// Names of what the demo runs.
const (
	realmName = "local"
	identity  = "identity"
	gateway   = "gateway"
	foreign   = "greeting"
)

// startTimeout bounds the wait for a process to be ready.
const startTimeout = 30 * time.Second

// addresses are what a `--ready-file` says.
type addresses struct {
	NATS    string `json:"nats"`
	HTTP    string `json:"http"`
	Sidecar string `json:"sidecar"`
}

// A realm owns the processes of one run.
type realm struct {
	opts Options
	dir  string

	server    *process
	sidecar   *process
	instances map[string]*process
	at        addresses
}

func newRealm(opts Options) (*realm, error) {
	dir, err := os.MkdirTemp("", "fairlead-demo-")
	if err != nil {
		return nil, fmt.Errorf("make the demo's directory: %w", err)
	}
	return &realm{opts: opts, dir: dir, instances: map[string]*process{}}, nil
}

// start brings the realm up: the bus with Atlas and the bridge, the sidecar,
// and the services. It does not wait for the services to be listed.
func (r *realm) start(ctx context.Context) error {
	if err := r.startServer(ctx, r.opts.NATSAddr, r.opts.HTTPAddr); err != nil {
		return err
	}
	if err := r.startSidecar(ctx); err != nil {
		return err
	}
	for _, id := range identityIDs {
		if err := r.startExample(identity, id); err != nil {
			return err
		}
	}
	if err := r.startExample(gateway, gateway+"-1"); err != nil {
		return err
	}
	return r.startForeign(ctx)
}

var identityIDs = []string{"identity-1", "identity-2", "identity-3"}

// startServer starts the control plane, on the same data every time.
func (r *realm) startServer(ctx context.Context, natsAddr, httpAddr string) (err error) {
	ready := filepath.Join(r.dir, "server.json")
	r.server, err = r.launch("server", nil, "server", "--data", filepath.Join(r.dir, "data"),
		"--nats-addr", natsAddr, "--http-addr", httpAddr, "--ready-file", ready)
	if err != nil {
		return err
	}
	var at addresses
	if err := awaitReady(ctx, r.server, ready, &at); err != nil {
		return err
	}
	r.at.NATS, r.at.HTTP = at.NATS, at.HTTP
	return nil
}

func (r *realm) startSidecar(ctx context.Context) (err error) {
	ready := filepath.Join(r.dir, "sidecar.json")
	r.sidecar, err = r.launch("sidecar", nil, "sidecar", "--nats-url", r.at.NATS,
		"--addr", r.opts.SidecarAddr, "--ready-file", ready)
	if err != nil {
		return err
	}
	var at addresses
	if err := awaitReady(ctx, r.sidecar, ready, &at); err != nil {
		return err
	}
	r.at.Sidecar = at.Sidecar
	return nil
}

// startExample starts a copy of one of the Go services.
func (r *realm) startExample(service, id string) error {
	p, err := r.launch(id, []string{
		"FAIRLEAD_NATS_URL=" + r.at.NATS, "FAIRLEAD_REALM=" + realmName,
		"FAIRLEAD_INSTANCE=" + id, "FAIRLEAD_ADDR=127.0.0.1:0",
	}, "example", service)
	if err != nil {
		return err
	}
	r.instances[id] = p
	return nil
}

// startForeign starts the service that knows nothing of Fairlead, in the
// language that the machine has.
func (r *realm) startForeign(context.Context) error {
	command, err := foreignCommand(r.dir)
	if err != nil {
		return err
	}
	args := append([]string{"run", "--nats-url", r.at.NATS, "--service", foreign, "--instance", foreign + "-1",
		"--port", "0", "--health", "/health", "--"}, command...)
	p, err := r.launch(foreign+"-1", nil, args...)
	if err != nil {
		return err
	}
	r.instances[foreign+"-1"] = p
	return nil
}

// foreignCommand writes the service's source beside the logs and returns how
// to run it.
func foreignCommand(dir string) ([]string, error) {
	for _, candidate := range []struct{ interpreter, file string }{{"python3", "greeting.py"}, {"node", "greeting.mjs"}} {
		path, err := exec.LookPath(candidate.interpreter)
		if err != nil {
			continue
		}
		source, err := greeting.Sources.ReadFile(candidate.file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", candidate.file, err)
		}
		file := filepath.Join(dir, candidate.file)
		if err := os.WriteFile(file, source, 0o600); err != nil {
			return nil, fmt.Errorf("write the foreign service: %w", err)
		}
		return []string{path, file}, nil
	}
	return nil, errors.New("the demo needs python3 or node for a service in another language: apt-get install python3")
}

func (r *realm) launch(name string, env []string, args ...string) (*process, error) {
	return startProcess(r.dir, name, env, append([]string{r.opts.Binary}, args...)...)
}

// awaitReady waits for a process to write its ready file.
func awaitReady(ctx context.Context, p *process, file string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		if !p.alive() {
			return false, fmt.Errorf("it ended: %s", p.lastWords())
		}
		data, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(data, into) == nil, nil
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return os.Remove(file)
}

// poll asks every few milliseconds until the answer is yes, an error, or ctx
// ends.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends everything in order, the services first so that they can leave.
// The logs are kept if something went wrong.
func (r *realm) stop(ctx context.Context, keepLogs bool) error {
	var errs []error
	ends := make(chan error, len(r.instances))
	for _, p := range r.instances {
		go func() { ends <- p.stop(ctx) }()
	}
	for range r.instances {
		errs = append(errs, <-ends)
	}
	for _, p := range []*process{r.sidecar, r.server} {
		if p != nil {
			errs = append(errs, p.stop(ctx))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w (logs are in %s)", err, r.dir)
	}
	if keepLogs {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// hostOf returns the host and port of an http URL or a nats one.
func hostOf(url string) string {
	for i := len(url) - 1; i >= 0; i-- {
		if url[i] == '/' {
			return url[i+1:]
		}
	}
	return url
}

// httpGet asks one of the realm's own endpoints.
func httpGet(ctx context.Context, client *http.Client, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
