package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// addresses are what a ready file says.
type addresses struct {
	NATS    string `json:"nats"`
	HTTP    string `json:"http"`
	Sidecar string `json:"sidecar"`
	PID     int    `json:"pid"`
}

// A realm is a `fairlead up` of a test's own.
type realm struct {
	addresses
	data string
	up   *process
}

func startRealm(t *testing.T) *realm {
	t.Helper()
	r := &realm{data: filepath.Join(t.TempDir(), "data")}
	r.start(t)
	return r
}

// startRestartable starts a realm that will be down for a while and then needs
// its addresses again.
func startRestartable(t *testing.T) *realm {
	t.Helper()
	r := &realm{data: filepath.Join(t.TempDir(), "data")}
	r.NATS, r.HTTP, r.Sidecar = "nats://"+reserved(t), "http://"+reserved(t), "http://"+reserved(t)
	r.start(t)
	return r
}

// taken are the addresses that tests have been given: most listen there only
// later, and others run beside them.
var taken sync.Map

// reserved returns an address that is free, that no other test is given, and
// that no connection is given by chance: kernels take ports above these for
// that.
func reserved(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000)))
		if err != nil {
			continue
		}
		_ = l.Close()
		if _, others := taken.LoadOrStore(l.Addr().String(), true); !others {
			return l.Addr().String()
		}
	}
}

// start waits until everything answers. A second start has the addresses of
// the first, as a restarted service would.
func (r *realm) start(t *testing.T) {
	t.Helper()
	r.up = r.launch(t, r.addresses, &r.addresses)
}

func (r *realm) launch(t *testing.T, at addresses, into *addresses) *process {
	t.Helper()
	return startReady(t, "up", into, "up", "--data", r.data,
		"--nats-addr", hostOf(at.NATS), "--http-addr", hostOf(at.HTTP), "--sidecar-addr", hostOf(at.Sidecar))
}

// startReady starts a part of the platform and waits for its ready file.
func startReady(t *testing.T, name string, into *addresses, args ...string) *process {
	t.Helper()
	p, file := startPart(t, name, nil, args...)
	p.awaitReady(t, file, into)
	return p
}

// startPart starts a part of the platform, and returns its ready file before
// that is there.
func startPart(t *testing.T, name string, env []string, args ...string) (p *process, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "ready.json")
	return start(t, name, env, append(append([]string{fairlead}, args...), "--ready-file", file)...), file
}

func (p *process) awaitReady(t *testing.T, file string, into *addresses) {
	t.Helper()
	within(t, patience, p.name+" is ready", func() bool {
		if p.ended() {
			t.Fatalf("%s ended: %s", p.name, p.said.String())
		}
		return isReady(file, into)
	})
}

func isReady(file string, into *addresses) bool {
	text, err := os.ReadFile(file)
	return err == nil && json.Unmarshal(text, into) == nil
}

// crash ends the whole control plane as a power cut does.
func (r *realm) crash() { r.up.kill() }

// hostOf returns the host and port of a URL, any free port for none.
func hostOf(url string) string {
	if _, host, ok := strings.Cut(url, "://"); ok {
		return host
	}
	return "127.0.0.1:0"
}

// startSidecar starts a sidecar in a process of its own and returns its URL.
func (r *realm) startSidecar(t *testing.T) string {
	t.Helper()
	var at addresses
	startReady(t, "sidecar", &at, "sidecar", "--addr", "127.0.0.1:0", "--whole-realm", "--nats-url", r.NATS)
	return at.Sidecar
}

// member is the environment of a program that belongs to the realm.
func (r *realm) member(instance string) []string {
	return []string{"FAIRLEAD_NATS_URL=" + r.NATS, "FAIRLEAD_REALM=local", "FAIRLEAD_INSTANCE=" + instance, "FAIRLEAD_ADDR=127.0.0.1:0"}
}

// startIdentity starts a copy of the sample service and waits until it is
// listed.
func (r *realm) startIdentity(t *testing.T, id string) *process {
	t.Helper()
	p := start(t, id, r.member(id), fairlead, "example", "identity")
	r.await(t, patience, "identity", id, "passes", passes)
	return p
}

// cli runs the command as somebody in the realm.
func (r *realm) cli(t *testing.T, args ...string) result {
	t.Helper()
	env := []string{"FAIRLEAD_NATS_URL=" + r.NATS, "FAIRLEAD_HTTP_ADDR=" + hostOf(r.HTTP), "FAIRLEAD_SIDECAR_ADDR=" + hostOf(r.Sidecar), "USER=jane"}
	return run(t, env, append([]string{fairlead}, args...)...)
}

// succeed is cli for commands that have to.
func (r *realm) succeed(t *testing.T, args ...string) string {
	t.Helper()
	got := r.cli(t, args...)
	if got.code != 0 {
		t.Fatalf("fairlead %s: exit code %d: %s%s", strings.Join(args, " "), got.code, got.err, got.out)
	}
	return got.out
}

func (r *realm) serviceURL(service string) string {
	return r.HTTP + "/v1/realms/local/services/" + service
}

func (r *realm) instanceURL(service, id string) string {
	return r.serviceURL(service) + "/instances/" + id
}

// instances returns what the bridge lists of a service.
func (r *realm) instances(t *testing.T, service string) map[string]registry.Instance {
	t.Helper()
	listed := map[string]registry.Instance{}
	got := curl(t, r.serviceURL(service))
	if got.status != 200 {
		return listed
	}
	for _, in := range decode[struct{ Instances []registry.Instance }](t, got.body).Instances {
		listed[in.ID] = in
	}
	return listed
}

// A condition is what an instance should be like.
type condition func(in registry.Instance, listed bool) bool

func passes(in registry.Instance, listed bool) bool { return listed && in.Status == registry.Passing }

func isSuspect(in registry.Instance, listed bool) bool {
	return listed && in.Status == registry.Suspect
}

func isDisabled(in registry.Instance, listed bool) bool { return listed && !in.Enabled }

func isGone(_ registry.Instance, listed bool) bool { return !listed }

// await waits until the bridge lists an instance as it should be.
func (r *realm) await(t *testing.T, limit time.Duration, service, id, what string, ok condition) time.Duration {
	t.Helper()
	return within(t, limit, fmt.Sprintf("%s %s", id, what), func() bool {
		in, listed := r.instances(t, service)[id]
		return ok(in, listed)
	})
}

// revision returns that of the realm's routes.
func (r *realm) revision(t *testing.T) registry.Revision {
	t.Helper()
	routes := expect(t, 200, r.HTTP+"/v1/realms/local/routes")
	return decode[struct{ Revision registry.Revision }](t, routes).Revision
}

// open opens a session in the test's own process: one more routing table, and
// a smart client on it.
func (r *realm) open(t *testing.T) *connect.Session {
	t.Helper()
	session, err := connect.Open(t.Context(), connect.Options{
		Realm: "local", NATSURL: r.NATS, WholeRealm: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(context.Background()) })
	ready, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := session.Table().Ready(ready); err != nil {
		t.Fatal(err)
	}
	return session
}

// held returns what a session's table holds of an instance.
func held(s *connect.Session, service, id string) (registry.Instance, bool) {
	table, _ := s.Table().Table()
	return table.Service(service).Instance(id)
}

// A site is a web server that knows nothing of Fairlead.
type site struct {
	*process
	port int
}

const siteText = "hello from a program that knows nothing\n"

// startSite starts Python's own web server on a free port.
func startSite(t *testing.T) *site {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte(siteText), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{process: start(t, "site", nil, need(t, "python3"), "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder)}
	within(t, patience, "the web server listens", func() bool {
		_, after, found := strings.Cut(s.said.String(), "127.0.0.1 port ")
		_, err := fmt.Sscan(after, &s.port)
		return found && err == nil
	})
	return s
}

// registration is what somebody would PUT for it.
func (s *site) registration() string {
	return fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"health":"/"}`, s.port)
}
