package acceptance

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// superviseHAProxy starts a sidecar whose haproxy outlives it, and ends that in
// the end.
func (r *realm) superviseHAProxy(t *testing.T) (s *supervised, data string) {
	t.Helper()
	// Its sockets have no room for the folder of a test.
	data, err := os.MkdirTemp("", "fl-haproxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pid := haproxyIn(data); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
			within(t, patience, "haproxy has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || isZombie(pid) })
		}
		_ = os.RemoveAll(data)
	})
	s = r.superviseSidecar(t, "--plane", "haproxy", "--keep-haproxy", "--data", data).start()
	s.knowsIdentity()
	return s, data
}

// haproxyIn returns the process of the master in a folder, 0 without one.
func haproxyIn(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "haproxy", "haproxy.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// isZombie tells whether nobody has collected a process that ended.
func isZombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(text), ") Z ")
}

// TestHAProxyOutlivesItsSidecar: nothing is lost while there is no sidecar,
// whether it was restarted or killed, and the next one goes on with haproxy.
func TestHAProxyOutlivesItsSidecar(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	s, data := r.superviseHAProxy(t)
	carrying := haproxyIn(data)
	l := trafficOn(t, s.url)
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		l.goesOn(t)
		before := s.pid()
		s.signal(how)
		s.awaitOther(before)
	}
	l.goesOn(t)
	l.lostNothing(t)
	if now := haproxyIn(data); now != carrying {
		t.Errorf("haproxy was process %d and is %d", carrying, now)
	}
	within(t, patience, "its status tells so", func() bool {
		return contains(r.succeed(t, "sidecar", "status", "--addr", hostOf(s.url)), "carries the table", "0 reloads")
	})
	if said := run(t, environment(), fairlead, "sidecar", "upgrade", "--addr", hostOf(s.url)); said.code == 0 || !contains(said.err, "--keep-haproxy") {
		t.Errorf("an upgrade ended with %d: %s", said.code, said.err)
	}
}

func TestHAProxysWorkerThatIsKilledServesAgainWithinASecond(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	s, data := r.superviseHAProxy(t)
	quickest := time.Hour
	for range 2 { // for the machine may be busy
		master := haproxyIn(data)
		workers, err := exec.Command("pgrep", "-P", strconv.Itoa(master)).Output()
		if err != nil {
			t.Fatal(err)
		}
		worker, err := strconv.Atoi(strings.TrimSpace(string(workers)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		away := s.servesAgain()
		t.Logf("it served again %s after the SIGKILL", away.Round(time.Millisecond))
		quickest = min(quickest, away)
		within(t, patience, "another haproxy runs", func() bool { return haproxyIn(data) != master })
	}
	if quickest > time.Second {
		t.Errorf("it served again after %s at the earliest", quickest)
	}
}
