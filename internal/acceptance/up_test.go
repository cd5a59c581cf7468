package acceptance

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readyWithin is how soon `up` is ready where it need not wait for a processor.
const readyWithin = 3 * time.Second

func TestUpIsReadySoon(t *testing.T) {
	began := time.Now()
	r := startRestartable(t)
	r.wasReadySoon(t, "first", began)
	if r.PID != r.up.cmd.Process.Pid {
		t.Errorf("the ready file says that the process is %d, it is %d", r.PID, r.up.cmd.Process.Pid)
	}
	for _, address := range []string{r.NATS, r.HTTP, r.Sidecar} {
		within(t, patience, "it prints "+address, func() bool { return contains(r.up.said.String(), address) })
	}
	expect(t, 200, r.HTTP+"/health")
	expect(t, 200, r.Sidecar+"/health")
	r.startAgain(t)
}

// wasReadySoon leaves out for how long the process had to wait for others: how
// busy the machine is says nothing of it.
func (r *realm) wasReadySoon(t *testing.T, which string, began time.Time) {
	t.Helper()
	took, queued := time.Since(began), r.up.queued()
	t.Logf("the %s start took %s, in which its threads waited %s for a processor", which, took.Round(time.Millisecond), queued.Round(time.Millisecond))
	if took-queued > readyWithin {
		t.Errorf("the %s time it was ready after %s only", which, took-queued)
	}
}

func (r *realm) startAgain(t *testing.T) {
	t.Helper()
	r.up.stop()
	if code := r.up.code(t); code != 0 {
		t.Errorf("SIGTERM ends it with exit code %d", code)
	}
	began := time.Now()
	r.start(t)
	r.wasReadySoon(t, "second", began)
}

func TestATakenPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--nats-addr", "--http-addr", "--sidecar-addr"} {
		t.Run(flag, func(t *testing.T) {
			args := []string{fairlead, "up", "--data", t.TempDir()}
			for _, one := range []string{"--nats-addr", "--http-addr", "--sidecar-addr"} {
				address := "127.0.0.1:0"
				if one == flag {
					address = taken.Addr().String()
				}
				args = append(args, one, address)
			}
			got := run(t, nil, args...)
			if line := lastLine(got.err); got.code == 0 || !contains(line, flag+": ", taken.Addr().String(), "in use") {
				t.Errorf("exit code %d: %s", got.code, got.err)
			}
		})
	}
}

func TestASecondUpOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	got := run(t, nil, fairlead, "up", "--data", r.data, "--nats-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--sidecar-addr", "127.0.0.1:0",
		"--ready-file", filepath.Join(t.TempDir(), "ready.json"))
	if line := lastLine(got.err); got.code == 0 || !contains(line, "fairlead: --data: ", r.data) {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if body := expect(t, 200, "-H", byHeader, r.Sidecar+"/users/1"); body != expectedUser {
		t.Errorf("the first answers %q", body)
	}
}

func TestUpEndsSoonThoughStreamsAreOpen(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	r.startWorker(t, "worker-1")
	readers := []*reader{
		read(t, r.HTTP+"/v1/realms/local/routes"),
		read(t, r.HTTP+"/call/identity/events"),
		read(t, r.Sidecar+"/events", "-H", byHeader),
	}
	for _, reader := range readers {
		within(t, patience, "a stream has begun", func() bool { return reader.said.String() != "" })
	}
	conn, answers := upgrade(t, hostOf(r.Sidecar), "/echo", "Fairlead-Service: worker\r\n")
	echoed(t, conn, answers, "hello")
	r.up.signal(syscall.SIGTERM)
	took := within(t, patience, "it ends", r.up.ended)
	t.Logf("ended after %s", took.Round(time.Millisecond))
	if code := r.up.code(t); code != 0 || took > 12*time.Second {
		t.Errorf("it ended after %s with exit code %d", took, code)
	}
}

// contains tells whether a text has all the parts.
func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// lastLine is where a command says why it failed.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
