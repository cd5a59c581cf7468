package acceptance

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Traffic is many callers of identity at once, most on connections that they
// keep, and some on one of its own for each request.
type traffic struct {
	callers []*caller
}

const (
	keepingCallers  = 6
	reopenedCallers = 2
)

func trafficOn(t *testing.T, sidecar string) *traffic {
	t.Helper()
	l := &traffic{}
	for range keepingCallers {
		l.callers = append(l.callers, callThrough(t, sidecar))
	}
	for range reopenedCallers {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		l.callers = append(l.callers, startCaller(t, "by new connections", func(ctx context.Context, n int) error {
			return getUser(ctx, client, sidecar, n)
		}))
	}
	return l
}

func (l *traffic) answered() (n int64) {
	for _, c := range l.callers {
		n += c.answered.Load()
	}
	return n
}

// goesOn waits until many more requests have been answered.
func (l *traffic) goesOn(t *testing.T) {
	t.Helper()
	so := l.answered()
	within(t, patience, "requests go on", func() bool { return l.answered() > so+200 })
}

// lostNothing ends it.
func (l *traffic) lostNothing(t *testing.T) {
	t.Helper()
	for _, c := range l.callers {
		c.stop()
		if lost := c.lost.Load(); lost != nil {
			t.Errorf("a request %s was lost: %s", c.how, *lost)
		}
	}
	t.Logf("%d requests were answered, none was lost", l.answered())
}

func TestAnUpgradeOfTheSidecarLosesNothing(t *testing.T) {
	t.Parallel()
	r, dir, site := startRealm(t), t.TempDir(), startSite(t)
	r.startIdentity(t, "identity-1")
	declare(t, dir, "site.yaml", "name: site\ninstance: by-file\nport: %d\nhealth: /\n", site.port)
	s := r.superviseSidecar(t, "--services-d", dir).start()
	r.await(t, patience, "site", "by-file", "passes", passes)
	expect(t, 200, "-H", byHeader, s.url+"/users/1")
	stream := read(t, s.url+"/events", "-H", byHeader)
	within(t, patience, "the stream has begun", func() bool { return contains(stream.said.String(), ": changes of users") })
	l := trafficOn(t, s.url)
	for range 3 {
		l.goesOn(t)
		before := s.pid()
		s.signal(syscall.SIGUSR2)
		s.awaitOther(before)
		r.await(t, patience, "site", "by-file", "still passes", passes)
	}
	before := s.pid()
	if said := r.succeed(t, "sidecar", "upgrade", "--addr", hostOf(s.url)); !contains(said, "has taken over from") {
		t.Errorf("the command said %q", said)
	}
	if after := s.awaitOther(before); after == before {
		t.Errorf("process %d goes on", before)
	}
	l.goesOn(t)
	l.lostNothing(t)
	within(t, patience, "its status tells everything", func() bool {
		return contains(r.succeed(t, "sidecar", "status", "--addr", hostOf(s.url)), "carries the table", "builtin, 0 reloads", "site.yaml: site/by-file passing")
	})
	// What began in the first of them is not cut.
	expect(t, 200, "-X", "PUT", "-d", `{"name":"Ada"}`, "-H", byHeader, s.url+"/users/1")
	if e := stream.next(t); e.name != "put" {
		t.Errorf("the stream goes on with %+v", e)
	}
}

func TestARestartOfTheSidecarLosesNothingWhereItsListenerIsKept(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	s := r.superviseSidecar(t).keepsListener().start()
	expect(t, 200, "-H", byHeader, s.url+"/users/1")
	l := trafficOn(t, s.url)
	for range 2 {
		l.goesOn(t)
		before := s.pid()
		s.signal(syscall.SIGTERM)
		s.awaitOther(before)
	}
	l.goesOn(t)
	l.lostNothing(t)
}

func TestAnUpgradeThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	program, file := copyOf(t, fairlead), filepath.Join(t.TempDir(), "ready.json")
	p := start(t, "sidecar", nil, program, "sidecar", "--addr", "127.0.0.1:0", "--nats-url", r.NATS, "--ready-file", file)
	var at addresses
	p.awaitReady(t, file, &at)
	l := trafficOn(t, at.Sidecar)
	l.goesOn(t)
	broken := program + ".new"
	if err := errors.Join(os.WriteFile(broken, []byte("#!/bin/sh\nexit 1\n"), 0o700), os.Rename(broken, program)); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGUSR2)
	within(t, patience, "it says so", func() bool { return contains(p.said.String(), "not upgraded, this sidecar goes on") })
	l.goesOn(t)
	l.lostNothing(t)
}

// TestAnUpgradeIsAskedForOnce: while there is one, and by who no longer serves.
func TestAnUpgradeIsAskedForOnce(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	program, file, hold := copyOf(t, fairlead), filepath.Join(t.TempDir(), "ready.json"), filepath.Join(t.TempDir(), "hold")
	p := start(t, "sidecar", nil, program, "sidecar", "--addr", "127.0.0.1:0", "--nats-url", r.NATS, "--ready-file", file)
	var at addresses
	p.awaitReady(t, file, &at)
	stream := read(t, at.Sidecar+"/events", "-H", byHeader)
	within(t, patience, "the stream has begun", func() bool { return contains(stream.said.String(), ": changes of users") })
	// The new one starts once it may.
	waiting := "#!/bin/sh\nmkdir " + hold + "\nwhile [ -d " + hold + " ]; do sleep 0.05; done\nexec " + fairlead + ` "$@"` + "\n"
	if err := errors.Join(os.WriteFile(program+".new", []byte(waiting), 0o700), os.Rename(program+".new", program)); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGUSR2)
	within(t, patience, "the upgrade is under way", func() bool { _, err := os.Stat(hold); return err == nil })
	p.signal(syscall.SIGUSR2)
	within(t, patience, "the second one is not heard", func() bool { return contains(p.said.String(), "ignored: an upgrade is under way") })
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	before := at.PID
	within(t, patience, "another one is ready", func() bool { return isReady(file, &at) && at.PID != before })
	t.Cleanup(func() { _ = syscall.Kill(at.PID, syscall.SIGTERM) })
	p.signal(syscall.SIGUSR2)
	expect(t, 200, "-X", "PUT", "-d", `{"name":"Ada"}`, "-H", byHeader, at.Sidecar+"/users/1")
	if e := stream.next(t); e.name != "put" || p.ended() {
		t.Errorf("the stream goes on with %+v, who carries it has ended: %t", e, p.ended())
	}
}

func copyOf(t *testing.T, program string) string {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// After a SIGKILL only what was in flight may fail, and the next one serves
// within a second.
func TestAKilledSidecarServesAgainWithinASecond(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	s := r.superviseSidecar(t).start()
	expect(t, 200, "-H", byHeader, s.url+"/users/1")
	for range 3 {
		before := s.pid()
		s.signal(syscall.SIGKILL)
		away := s.servesAgain()
		t.Logf("it served again %s after the SIGKILL", away.Round(time.Millisecond))
		if away > time.Second {
			t.Errorf("it served again after %s", away)
		}
		s.awaitOther(before)
	}
}

// servesAgain asks without a pause until there is an answer.
func (s *supervised) servesAgain() time.Duration {
	s.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	began := time.Now()
	within(s.T, patience, "it serves again", func() bool { return getUser(s.Context(), client, s.url, 1) == nil })
	return time.Since(began)
}
