package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/internal/logtest"
	"fairlead.dev/registry"
)

// A running is a `fairlead run` in a process of its own.
type running struct {
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	errors said
}

// said is what a process writes to standard error, to be read meanwhile.
type said struct {
	logtest.Text
	more chan struct{}
}

func (s *said) Write(p []byte) (int, error) {
	n, err := s.Text.Write(p)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return n, err
}

// await waits until it has said something.
func (s *said) await(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(s.String(), want) {
		select {
		case <-s.more:
		case <-timeout:
			t.Fatalf("it did not say %q but: %s", want, s)
		}
	}
}

// run starts the program under `fairlead run` as the instance "g" of the
// service greeter.
func (r *realm) run(t *testing.T, flags string, env []string, program ...string) *running {
	t.Helper()
	args := append([]string{"run", "--service", "greeter", "--instance", "g"}, strings.Fields(flags)...)
	run := &running{cmd: exec.Command("fairlead", append(append(args, "--"), program...)...), errors: said{more: make(chan struct{}, 1)}}
	// Programs with the race detector wait a second at their end, unless told.
	run.cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0", "FAIRLEAD_NATS_URL="+r.NATS), env...)
	run.cmd.Stderr = &run.errors
	out, err := run.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.lines = bufio.NewScanner(out)
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.cmd.Process.Kill(); _ = run.cmd.Wait() })
	return run
}

func (r *running) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// hear waits for a line that the program writes.
func (r *running) hear(t *testing.T, want string) {
	t.Helper()
	for r.lines.Scan() {
		if r.lines.Text() == want {
			return
		}
	}
	t.Fatalf("the output ended without %q: %s", want, r.errors.String())
}

// end waits for the end of the command and of all its output, which whatever
// the program left behind would hold open.
func (r *running) end(t *testing.T, code int) {
	t.Helper()
	for r.lines.Scan() {
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("fairlead run ended with %d, want %d: %s", got, code, r.errors.String())
	}
}

func (r *realm) post(t *testing.T, path string) {
	t.Helper()
	// The program ends while it answers, so there is no answer.
	_ = r.fairlead(t, "call", "POST", "service://greeter"+path)
}

func TestRun(t *testing.T) {
	r := startRealm(t)
	run := r.run(t, "--port 0 --health /health --version 2.0.1 --zone b --weight 7 --meta git=abc", nil, "greeter")
	in := r.await(t, "greeter", "g", passes)
	if in.Version != "2.0.1" || in.Zone != "b" || in.Weight != 7 || in.Metadata["git"] != "abc" || in.Health != "/health" {
		t.Errorf("it is registered as %+v", in)
	}
	said := decode[map[string]string](t, r.succeed(t, "call", "GET", "service://greeter/echo"))
	port := fmt.Sprint(in.Port)
	want := map[string]string{"service": "greeter", "instance": "g", "realm": "local", "port": port, "fairlead_port": port}
	for name, value := range want {
		if said[name] != value {
			t.Errorf("the program's %s is %q, want %q", name, said[name], value)
		}
	}
	run.hear(t, "greeter listens")
	run.signal(t, syscall.SIGHUP)
	run.hear(t, "greeter heard hangup")

	run.signal(t, syscall.SIGTERM)
	r.await(t, "greeter", "g", func(in registry.Instance, _ bool) bool { return in.Status == registry.Draining })
	resp, err := http.Get(endpoint(in) + "/health")
	if err != nil {
		t.Fatalf("while callers go elsewhere it does not serve any more: %v", err)
	}
	_ = resp.Body.Close()
	r.await(t, "greeter", "g", isGone)
	run.hear(t, "greeter heard terminated")
	run.end(t, 0)
}

func TestRunPassesOnHowTheProgramEnded(t *testing.T) {
	for path, code := range map[string]int{"/exit/7": 7, "/kill": 128 + 9} {
		t.Run(path, func(t *testing.T) {
			r := startRealm(t)
			run := r.run(t, "--port 0", nil, "greeter")
			r.await(t, "greeter", "g", passes)
			r.post(t, path)
			began := time.Now()
			r.await(t, "greeter", "g", isGone)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it was listed for %s after it had ended", took)
			}
			run.end(t, code)
		})
	}
}

func TestRunThatIsKilledTakesTheProgramAlong(t *testing.T) {
	r := startRealm(t)
	run := r.run(t, "--port 0", nil, "greeter")
	in := r.await(t, "greeter", "g", passes)
	conn, err := net.Dial("tcp", in.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run.signal(t, syscall.SIGKILL)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the program lives on")
	}
	r.await(t, "greeter", "g", isGone)
	run.end(t, -1)
}

func TestRunOfAStubbornProgram(t *testing.T) {
	stubborn := []string{"STUBBORN=1"}
	t.Run("is killed in the end", func(t *testing.T) {
		r := startRealm(t)
		run := r.run(t, "--port 0 --drain-delay 0s --stop-timeout 100ms", stubborn, "greeter")
		r.await(t, "greeter", "g", passes)
		run.signal(t, syscall.SIGTERM)
		run.hear(t, "greeter heard terminated")
		run.end(t, 128+9)
	})
	t.Run("is killed by a second signal", func(t *testing.T) {
		r := startRealm(t)
		run := r.run(t, "--port 0 --drain-delay 1h --stop-timeout 1h", stubborn, "greeter")
		r.await(t, "greeter", "g", passes)
		run.signal(t, syscall.SIGTERM)
		r.await(t, "greeter", "g", func(in registry.Instance, _ bool) bool { return in.Status == registry.Draining })
		run.signal(t, syscall.SIGTERM)
		r.await(t, "greeter", "g", isGone)
		run.end(t, 128+9)
	})
}

func TestRunLeavesNothingBehind(t *testing.T) {
	r := startRealm(t)
	run := r.run(t, "--port 0", nil, "sh", "-c", "greeter & wait")
	r.await(t, "greeter", "g", passes)
	run.signal(t, syscall.SIGTERM)
	run.end(t, 128+15) // by the shell, and with the end of the greeter's output
	r.await(t, "greeter", "g", isGone)
}

func TestRunIsRefusedAnIdThatIsHeld(t *testing.T) {
	r := startRealm(t)
	first := r.run(t, "--port 0 --drain-delay 0s", nil, "greeter")
	in := r.await(t, "greeter", "g", passes)
	second := r.run(t, "--port 0", nil, "greeter")
	second.hear(t, "greeter heard terminated")
	second.end(t, exitFailed)
	if said := second.errors.String(); !strings.Contains(said, in.Addr()) || !strings.Contains(said, "fairlead: register local/greeter/g: ") {
		t.Errorf("it said %s", said)
	}
	if now := r.await(t, "greeter", "g", passes); now.Incarnation != in.Incarnation {
		t.Error("the first was replaced")
	}
	first.signal(t, syscall.SIGTERM)
	first.end(t, 0)
}

func TestRunOfAProgramThatIsNeverHealthy(t *testing.T) {
	r := startRealm(t)
	run := r.run(t, "--port 0 --health /nowhere --drain-delay 1h", nil, "greeter")
	run.hear(t, "greeter listens")
	run.signal(t, syscall.SIGTERM)
	run.end(t, 0)
	if _, listed := r.table().Service("greeter").Instance("g"); listed {
		t.Error("it was registered")
	}
}

func TestRunWithoutABus(t *testing.T) {
	away := &realm{ready: ready{NATS: "nats://127.0.0.1:1"}}
	run := away.run(t, "--port 0 --drain-delay 0s", nil, "greeter")
	run.hear(t, "greeter listens")
	run.signal(t, syscall.SIGTERM)
	run.end(t, 0)
}

func TestRunReportsFailingChecks(t *testing.T) {
	r := startRealm(t)
	port := freePort(t)
	run := r.run(t, "--health-interval 20ms --drain-delay 0s --port "+port, nil, "sh", "-c", "echo up; exec sleep 600")
	run.hear(t, "up")
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r.await(t, "greeter", "g", passes)
	_ = listener.Close()
	r.await(t, "greeter", "g", func(in registry.Instance, _ bool) bool { return in.Status == registry.Critical })
	run.signal(t, syscall.SIGTERM)
	run.end(t, 128+15)
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func TestRunDoesNotRegisterWhoeverHasThePort(t *testing.T) {
	server := httptest.NewServer(nil)
	defer server.Close()
	_, port, _ := net.SplitHostPort(address(server.URL))
	got := fairlead(t, "nats://127.0.0.1:1", "", "run", "--service", "greeter", "--port", port, "--", "greeter")
	if got.code != exitFailed || got.out != "" || got.err != "fairlead: --port: 127.0.0.1:"+port+" is in use\n" {
		t.Errorf("it gave %+v", got)
	}
}

// A service that registers itself is registered once, by itself.
func TestRunOfAProgramThatRegistersItself(t *testing.T) {
	r := startRealm(t)
	for _, flags := range []string{"--port 0", "--port 0 --health /health/ready"} {
		run := r.run(t, flags, []string{"FAIRLEAD_DRAIN_DELAY=0s", "FAIRLEAD_VERSION=5"}, "selfmade")
		in := r.await(t, "greeter", "g", passes)
		run.errors.await(t, "registers itself")
		if now := r.await(t, "greeter", "g", passes); in.Version != "5" || now.Incarnation != in.Incarnation {
			t.Errorf("%s: it was %+v and is %+v", flags, in, now)
		}
		run.signal(t, syscall.SIGTERM)
		r.await(t, "greeter", "g", isGone)
		run.end(t, 0)
		if said := run.errors.String(); strings.Count(said, "registers itself") != 1 || !strings.Contains(said, "as=local/greeter/g") {
			t.Errorf("%s: it said %s", flags, said)
		}
	}
}
