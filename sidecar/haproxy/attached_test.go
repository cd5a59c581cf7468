package haproxy

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

// An outsider is a HAProxy that a test runs, as a service manager would.
type outsider struct {
	t    *testing.T
	file string
	// master is nil while none runs.
	master *os.Process
	ended  chan struct{}
}

func startOutsider(t *testing.T, config string) *outsider {
	t.Helper()
	o := &outsider{t: t, file: config}
	o.start()
	t.Cleanup(o.kill)
	return o
}

func (o *outsider) start() {
	o.t.Helper()
	program, err := lookUp("haproxy")
	if err != nil {
		o.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(o.file), logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		o.t.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(program, "-W", "-f", o.file)
	// Elsewhere, so that nothing depends on where it is started.
	c.Dir, c.Stdout, c.Stderr = "/", log, log
	if err := c.Start(); err != nil {
		o.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Wait() }()
	o.master, o.ended = c.Process, ended
}

// kill ends it at once, any number of times; the worker goes with the master.
func (o *outsider) kill() {
	_ = o.master.Kill()
	<-o.ended
}

func (o *outsider) reload() {
	o.t.Helper()
	if err := o.master.Signal(syscall.SIGUSR2); err != nil {
		o.t.Fatal(err)
	}
}

// outside are options of a plane that attaches, and is quick to compare.
func outside(t *testing.T) Options {
	t.Helper()
	opts := options(t)
	opts.Addr, opts.Attach = planetest.Refusing(t), filepath.Join(opts.Data, "outside.sock")
	opts.Compare = 50 * time.Millisecond
	return opts
}

// configured has a HAProxy run from what is printed for a plane.
func configured(t *testing.T, opts Options) *outsider {
	t.Helper()
	if _, err := Configuration(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	return startOutsider(t, folder{opts.Data}.file(configFile))
}

func TestContractAttached(t *testing.T) {
	planetest.Run(t, func(t *testing.T, ways planetest.Ways) planetest.Plane {
		for i, d := range ways.Doors {
			if d.Network == "tcp" {
				ways.Doors[i].Address = planetest.Refusing(t)
			}
		}
		opts := opening(t, outside(t), ways)
		opts.Compare = 0
		configured(t, opts)
		return planeOf(t, opts)
	})
}

func TestAttachedIsToldOfReloads(t *testing.T) {
	opts := outside(t)
	o := configured(t, opts)
	l := run(t, opts)
	var all []registry.Instance
	for i := range 30 {
		all = append(all, serving(t, "s"+strconv.Itoa(i), "i"))
	}
	l.set(all...)
	answering := func(when string) {
		t.Helper()
		for _, in := range all {
			if got := l.get(in.Service); got != "i" {
				t.Fatalf("%s %s answered %s", when, in.Service, got)
			}
		}
	}
	answering("before the reload")
	before := l.worker()
	s := l.Status()
	if !strings.Contains(s.Warning, whySlots) || !strings.Contains(s.Warning, l.in.file(configFile)) || s.Problem != "" || s.Reloads != 0 {
		t.Errorf("status is %+v", s)
	}
	if !strings.Contains(l.ask("show map services.map")[0], " "+slotless) {
		t.Error("all services have a slot")
	}
	o.reload()
	within(t, "the new worker to be taken note of", patience, func() bool { return l.Status().Warning == "" })
	answering("after the reload")
	if s := l.Status(); s.Reloads < 1 || s.Starts != 0 || s.Repairs != 0 || l.worker() == before {
		t.Errorf("status is %+v", s)
	}
	if entries := l.ask("show map services.map")[0]; strings.Contains(entries, " "+slotless) {
		t.Errorf("the map is %s", entries)
	}
}

// TestAttachedFollowsRulesBeforeAReload: the sidecar does until then, and if they
// are withdrawn there is nothing to reload for.
func TestAttachedFollowsRulesBeforeAReload(t *testing.T) {
	opts := outside(t)
	o := configured(t, opts)
	l := run(t, opts)
	a, b := serving(t, "identity", "a"), serving(t, "finder", "b")
	a.Revision, b.Revision = 1, 2
	plain := registry.NewTable("local", "e").WithInstance(a).WithInstance(b)
	rules := []registry.Rule{{Split: []registry.Share{{Service: "finder", Weight: 1}}}}
	ruled := plain.WithMeta("identity", registry.Meta{Rules: rules}, 3)
	for _, step := range []struct {
		name   string
		table  *registry.Table
		reload bool
		want   string
		warns  bool
	}{
		{"no rules", plain, false, "a", false},
		{"rules", ruled, false, "b", true},
		{"none again", plain.WithMeta("identity", registry.Meta{}, 4), false, "a", false},
		{"rules again", ruled, true, "b", false},
		{"none after a reload", plain.WithMeta("identity", registry.Meta{}, 5), false, "a", true},
		{"that reloaded too", plain.WithMeta("identity", registry.Meta{}, 6), true, "a", false},
	} {
		if err := l.Apply(t.Context(), step.table.From(registry.Live, time.Now())); err != nil {
			t.Fatal(err)
		}
		if step.reload {
			o.reload()
			within(t, step.name+": the reload", patience, func() bool { return l.Status().Warning == "" })
		}
		if got, s := l.get("identity"), l.Status(); got != step.want || (s.Warning != "") != step.warns {
			t.Errorf("%s: %s answers, status %+v", step.name, got, s)
		}
	}
}

func TestAttachedIsMadeEqualAfterARestart(t *testing.T) {
	opts := outside(t)
	o := configured(t, opts)
	copied := filepath.Join(opts.Data, "copied.cfg")
	if err := os.Link(o.file, copied); err != nil {
		t.Fatal(err)
	}
	l := run(t, opts)
	a := serving(t, "identity", "a")
	l.set(a)
	o.kill()
	within(t, "the problem", patience, func() bool { return l.Status().Problem != "" })
	if kind := l.Describe(); kind.Problem == "" {
		t.Errorf("it is described as %+v", kind)
	}
	// As from a copy of what was printed: without a server.
	o.file = copied
	o.start()
	within(t, "its being made equal", patience, func() bool { return l.get("identity") == "a" && l.Status().Problem == "" })
	l.ask("set server s0/a_" + net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) + " state maint")
	within(t, "the repair", patience, func() bool { return l.Status().Repairs == 1 && l.get("identity") == "a" })
}

func TestAttachedIsLeftAsItIs(t *testing.T) {
	opts := outside(t)
	o := configured(t, opts)
	first := run(t, opts)
	first.set(serving(t, "identity", "a"))
	worker := first.worker()
	first.end()
	if got := first.get("identity"); got != "a" || first.worker() != worker {
		t.Errorf("without a sidecar %s answers", got)
	}
	opts.Hosts = []string{"proxy.example.com"}
	second := run(t, opts)
	second.set(serving(t, "identity", "b"))
	if got := second.get("identity"); got != "b" {
		t.Errorf("%s answers", got)
	}
	if s := second.Status(); !s.Adopted || !strings.Contains(s.Warning, "other options") {
		t.Errorf("status is %+v", s)
	}
	o.reload()
	within(t, "the other options", patience, func() bool { return second.Status().Warning == "" && second.get("identity") == "b" })
}

func TestAttachToWhatIsNotMeant(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"another address": func(o *Options) { o.Addr = planetest.Refusing(t) },
		"another realm":   func(o *Options) { o.Realm = "test" },
		// Two sidecars would take each other's servers away.
		"another sidecar's": func(o *Options) { o.Data = t.TempDir() },
	} {
		opts := outside(t)
		configured(t, opts)
		change(&opts)
		err := newPlane(t, opts).Run(t.Context())
		var field *registry.FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), "--print-config") || !strings.Contains(err.Error(), "realm=local") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAttachToAHandMadeOne(t *testing.T) {
	opts := outside(t)
	file := filepath.Join(opts.Data, "hand.cfg")
	text := "global\n  description 'my own'\n  stats socket unix@" + opts.Attach + " mode 600 level admin\n" +
		"defaults\n  mode http\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\nfrontend f\n  bind " + opts.Addr + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startOutsider(t, file)
	if err := newPlane(t, opts).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "my own") {
		t.Errorf("got %v", err)
	}
}

func TestAttachingNeedsAPort(t *testing.T) {
	opts := outside(t)
	opts.Addr = "127.0.0.1:0"
	if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "must name a port") {
		t.Errorf("got %v", err)
	}
}

// TestAConfigurationOverwritesNoFiles: HAProxy would put its sockets in their place.
func TestAConfigurationOverwritesNoFiles(t *testing.T) {
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"--haproxy-socket: " + precious + " is there": func(o *Options) { o.Attach = precious },
		"--unix: " + precious + " is there":           func(o *Options) { o.Doors = []Door{{Network: "unix", Address: precious}} },
		"--unix: must have a path of its own":         func(o *Options) { o.Doors = []Door{{Network: "unix", Address: o.Attach}} },
		"--haproxy-socket: must have a path":          func(o *Options) { o.Attach = filepath.Join(o.Data, asideSock) },
	} {
		opts := outside(t)
		change(&opts)
		if _, err := Configuration(t.Context(), opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}
