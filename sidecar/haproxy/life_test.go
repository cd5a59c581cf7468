package haproxy

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// within waits for a condition, and returns how long it took.
func within(t *testing.T, what string, most time.Duration, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Since(began) > most {
			t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
	return time.Since(began)
}

func (l *live) ask(commands ...string) []string {
	l.t.Helper()
	answers, err := l.api.ask(l.t.Context(), commands...)
	if err != nil {
		l.t.Fatal(err)
	}
	return answers
}

func TestHandEditsAreUndone(t *testing.T) {
	opts := options(t)
	opts.Compare = 50 * time.Millisecond
	l := run(t, opts)
	a := serving(t, "identity", "a")
	l.set(a)
	addr := net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	for _, edit := range []string{
		"set server s0/a_" + addr + " state maint",
		"set server s0/a_" + addr + " weight 1",
		"del map services.map identity",
		"add map services.map other s0",
		"add server s1/strange 127.0.0.1:1",
	} {
		repairs := l.Status().Repairs
		l.ask(edit)
		within(t, "the repair of "+edit, patience, func() bool { return l.Status().Repairs > repairs })
		within(t, "an answer after "+edit, patience, func() bool { return l.get("identity") == "a" })
	}
	if answers := l.ask("show map services.map"); strings.Contains(answers[0], "other") {
		t.Errorf("the map is %s", answers[0])
	}
}

func TestServersWithoutAnInstanceAreDeleted(t *testing.T) {
	opts := options(t)
	opts.Compare, opts.Quarantine = 50*time.Millisecond, 100*time.Millisecond
	l := run(t, opts)
	a, b, c := serving(t, "identity", "a"), serving(t, "identity", "b"), serving(t, "identity", "c")
	l.set(a, b, c)
	for range 6 {
		l.get("identity")
	}
	l.set(a)
	// None leave any more once they are gone and HAProxy was compared again.
	within(t, "the servers' deletion", patience, func() bool {
		servers := l.ask("show servers state")[0]
		return !strings.Contains(servers, " b_") && !strings.Contains(servers, " c_") && l.Status().Leaving == 0
	})
	if s := l.Status(); s.Repairs != 0 {
		t.Errorf("deletions are taken for %d edits by others", s.Repairs)
	}
}

func TestHAProxyThatIsKilledServesAgainAtOnce(t *testing.T) {
	l := run(t, options(t))
	l.set(serving(t, "identity", "a"))
	for name, pid := range map[string]func() int{"worker": l.worker, "master": l.master} {
		starts := l.Status().Starts
		if err := syscall.Kill(pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		took := within(t, "the start after the end of the "+name, patience, func() bool {
			return l.Status().Starts > starts && l.get("identity") == "a"
		})
		t.Logf("after the end of the %s it took %s", name, took)
	}
}

func (l *live) worker() int {
	now, err := askInfo(l.t.Context(), l.api)
	if err != nil {
		l.t.Fatal(err)
	}
	return now.pid
}

func (l *live) master() int {
	found := mastersIn(l.in)
	if len(found) != 1 {
		l.t.Fatalf("masters are %v", found)
	}
	return found[0]
}

// TestNextSidecarGoesOn: HAProxy serves while there is no sidecar, and the
// next one on the folder finds it as it is.
func TestNextSidecarGoesOn(t *testing.T) {
	opts := options(t)
	opts.Keep = true
	first := run(t, opts)
	a, b := serving(t, "identity", "a"), serving(t, "identity", "b")
	first.set(a)
	addr, worker := first.Status().Addr, first.worker()
	first.end()
	if got := first.get("identity"); got != "a" {
		t.Errorf("without a sidecar %s answers", got)
	}
	if got := first.get("identity", "Fairlead-Route: identity=b"); !strings.Contains(got, `"status":503`) || !strings.Contains(got, "sidecar itself") {
		t.Errorf("without a sidecar a route got %s", got)
	}
	opts.Addr, opts.Keep = addr, false
	second := run(t, opts)
	if got := second.get("identity"); got != "a" {
		t.Errorf("before its first table %s answers", got)
	}
	second.set(b)
	if got := second.get("identity"); got != "b" {
		t.Errorf("after its first table %s answers", got)
	}
	if s := second.Status(); !s.Adopted || s.Starts != 0 || s.Reloads != 0 || s.Addr != addr || second.worker() != worker {
		t.Errorf("status is %+v, worker %d before and %d now", s, worker, second.worker())
	}
	if err := syscall.Kill(second.master(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	took := within(t, "the start of another one", patience, func() bool { return second.get("identity") == "b" })
	t.Logf("after the end of an adopted master it took %s", took)
}

func TestOtherOptionsAreAReload(t *testing.T) {
	opts := options(t)
	opts.Keep = true
	first := run(t, opts)
	a := serving(t, "identity", "a")
	first.set(a)
	opts.Addr = first.Status().Addr
	first.end()
	opts.Keep, opts.Hosts = false, []string{"proxy.example.com"}
	second := run(t, opts)
	second.set(a)
	if got, s := second.get("identity"), second.Status(); got != "a" || s.Reloads != 1 || s.Why != "other rules or options" {
		t.Errorf("%s answers, status %+v", got, s)
	}
}

// TestRejectedConfiguration: what HAProxy finds fault with is said in its own
// words, and what was there goes on.
func TestRejectedConfiguration(t *testing.T) {
	opts := options(t)
	real, err := lookUp("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	opts.Program = filepath.Join(t.TempDir(), "haproxy")
	script := "#!/bin/sh\ncase $1 in -c) echo '[ALERT]    (1) : config : it is Sunday'; exit 1;; esac\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(opts.Program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	l := run(t, opts)
	a := serving(t, "identity", "a")
	l.set(a)
	table := registry.NewTable("local", "e").WithInstance(a)
	for i := range 30 {
		in := a
		in.Service = "s" + strconv.Itoa(i)
		table = table.WithInstance(in)
	}
	err = l.Apply(t.Context(), table.From(registry.Live, time.Now()))
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "it is Sunday") {
		t.Errorf("got %v", err)
	}
	if got := l.get("identity"); got != "a" {
		t.Errorf("%s answers", got)
	}
}

func TestOneSidecarAFolder(t *testing.T) {
	opts := options(t)
	run(t, opts)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := newPlane(t, opts).Run(ctx); !errors.Is(err, errLocked) {
		t.Errorf("the second one ended with %v", err)
	}
}

func TestWithoutHAProxy(t *testing.T) {
	opts := options(t)
	opts.Program = "no-such-haproxy"
	err := newPlane(t, opts).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "apt-get install haproxy") {
		t.Errorf("got %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	opts := options(t)
	opts.Addr = taken.Addr().String()
	if err := newPlane(t, opts).Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyInstanceThatRefusesIsSaidSoon(t *testing.T) {
	l := run(t, options(t))
	gone := serving(t, "identity", "a")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	l.set(gone)
	began := time.Now()
	if got := l.get("identity"); !strings.Contains(got, "unreachable") {
		t.Errorf("the answer is %s", got)
	}
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}
