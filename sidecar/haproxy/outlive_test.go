package haproxy

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/sidecar/planetest"
)

// TestAnEndAtAnyMomentEndsHAProxy: while it is started, and while one that runs
// is gone on with.
func TestAnEndAtAnyMomentEndsHAProxy(t *testing.T) {
	opts := options(t)
	in := folder{opts.Data}
	for _, found := range []bool{true, false} {
		for _, after := range []time.Duration{0, time.Millisecond, 4 * time.Millisecond, 15 * time.Millisecond, 60 * time.Millisecond, 250 * time.Millisecond} {
			if found {
				opts.Keep = true
				before := run(t, opts)
				before.end()
				before.master()
			}
			opts.Keep = false
			ctx, cancel := context.WithTimeout(t.Context(), after)
			err := newPlane(t, opts).Run(ctx)
			cancel()
			if left := mastersIn(in); err != nil || len(left) > 0 {
				t.Errorf("ended after %s (one ran before: %t) it left %v, %v", after, found, left, err)
			}
		}
	}
}

// TestWhatIsKeptIsKeptAtAnyMoment: also by a sidecar that hardly ran.
func TestWhatIsKeptIsKeptAtAnyMoment(t *testing.T) {
	opts := options(t)
	opts.Keep = true
	first := run(t, opts)
	first.end()
	master := first.master()
	for _, after := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := newPlane(t, opts).Run(ctx)
		cancel()
		if now := first.master(); err != nil || now != master {
			t.Errorf("after %s the master is %d and was %d, %v", after, now, master, err)
		}
	}
	opts.Keep = false
	run(t, opts)
}

// TestOneHAProxyAFolder: whatever sidecars that were killed have left.
func TestOneHAProxyAFolder(t *testing.T) {
	opts := options(t)
	opts.Keep = true
	first := run(t, opts)
	first.end()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	program, err := findProgram("haproxy")
	if err != nil {
		t.Fatal(err)
	}
	// It takes the first one's sockets and its place in the note.
	other, err := startMaster(program, first.in, []net.Listener{listener})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the other one is noted", patience, func() bool { found := mastersIn(first.in); return len(found) == 2 && found[0] == other.master.Pid })
	if err := os.Remove(first.in.file(pidFile)); err != nil {
		t.Fatal(err)
	}
	opts.Keep = false
	second := run(t, opts)
	second.master()
	second.set(serving(t, "identity", "a"))
	if got := second.get("identity"); got != "a" {
		t.Errorf("%s answers", got)
	}
	second.end()
	if left := mastersIn(first.in); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestAHurryCutsWhatIsInFlight: a second signal.
func TestAHurryCutsWhatIsInFlight(t *testing.T) {
	held := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(held)
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	opts := options(t)
	opts.Grace = time.Hour
	var hurry context.CancelFunc
	opts.Hurry, hurry = context.WithCancel(context.Background())
	l := run(t, opts)
	l.set(planetest.Instance("identity", "slow", slow.Listener.Addr().String(), 1))
	answered := make(chan struct{})
	go func() { defer close(answered); l.get("identity") }()
	<-held
	l.cancel()
	hurry()
	l.end()
	<-answered
	if left := mastersIn(l.in); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// TestAWorkerThatHangsDoesNotStay: it hears nothing, not even that its master has
// gone, and kept the address, where callers waited for good.
func TestAWorkerThatHangsDoesNotStay(t *testing.T) {
	l := run(t, options(t))
	l.set(serving(t, "identity", "a"))
	addr, worker := l.Status().Addr, l.worker()
	if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(worker, syscall.SIGKILL) })
	l.end()
	within(t, "the worker's end", patience, func() bool { return !runsIn(worker, l.in.path) })
	// The kernel lets go of a process's sockets a moment after its folder.
	within(t, "that nobody listens", patience, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}
