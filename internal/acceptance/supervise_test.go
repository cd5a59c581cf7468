package acceptance

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// restartAfter is the RestartSec of the sidecar's unit.
const restartAfter = 200 * time.Millisecond

// A supervised sidecar is restarted when it ends, as by the service manager,
// which may also keep its listener.
type supervised struct {
	*testing.T
	url  string
	args []string
	file string // the ready file
	log  *os.File
	// socket is the listener that the supervisor keeps, nil without one.
	socket *os.File

	mu      sync.Mutex
	stopped bool
	current *os.Process
	tasks   sync.WaitGroup
}

// superviseSidecar starts a sidecar. Its output is a file, which it may share
// with its successors: a pipe would be gone with the first of them.
func (r *realm) superviseSidecar(t *testing.T, more ...string) *supervised {
	t.Helper()
	folder := t.TempDir()
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	address := reserved(t)
	s := &supervised{T: t, url: "http://" + address, log: log, file: filepath.Join(folder, "ready.json")}
	s.args = append([]string{"sidecar", "--addr", address, "--nats-url", r.NATS, "--ready-file", s.file}, more...)
	return s
}

// keepsListener has the supervisor open the address itself.
func (s *supervised) keepsListener() *supervised {
	s.Helper()
	listener, err := net.Listen("tcp", hostOf(s.url))
	if err != nil {
		s.Fatal(err)
	}
	defer listener.Close()
	if s.socket, err = listener.(*net.TCPListener).File(); err != nil {
		s.Fatal(err)
	}
	return s
}

func (s *supervised) start() *supervised {
	s.Helper()
	s.tasks.Go(s.supervise)
	s.Cleanup(s.stop)
	s.awaitOther(0)
	return s
}

// supervise starts the sidecar again and again, until it is told to stop.
func (s *supervised) supervise() {
	for {
		cmd := s.command()
		s.mu.Lock()
		if s.stopped || cmd.Start() != nil {
			s.mu.Unlock()
			return
		}
		s.current = cmd.Process
		s.mu.Unlock()
		_ = cmd.Wait()
		s.awaitSuccessors(cmd.Process.Pid)
		<-time.After(restartAfter)
	}
}

// command runs the sidecar by a shell where there is a listener to pass on:
// only the process itself can know its id before it starts.
func (s *supervised) command() *exec.Cmd {
	cmd := exec.Command(fairlead, s.args...)
	if s.socket != nil {
		cmd = exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", fairlead}, s.args...)...)
		cmd.ExtraFiles = []*os.File{s.socket}
	}
	cmd.Env = environment("FAIRLEAD_CACHE=" + filepath.Join(filepath.Dir(s.file), "cache"))
	cmd.Stdout, cmd.Stderr = s.log, s.log
	return cmd
}

// awaitSuccessors waits for the end of the process that goes on after the one
// that was started, as service managers do, who are told of it.
func (s *supervised) awaitSuccessors(ended int) {
	for pid := s.pid(); pid != 0 && pid != ended; pid = s.pid() {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		<-time.After(pace)
	}
}

// pid is the process that says it is ready, 0 if there is none.
func (s *supervised) pid() int {
	var at addresses
	if !isReady(s.file, &at) {
		return 0
	}
	return at.PID
}

// awaitOther waits until another process than one is ready, and returns it.
func (s *supervised) awaitOther(than int) (pid int) {
	s.Helper()
	within(s.T, patience, "another sidecar is ready", func() bool {
		pid = s.pid()
		return pid != 0 && pid != than && curl(s.T, s.url+"/status").status == 200
	})
	return pid
}

// knowsIdentity waits until requests for identity are answered.
func (s *supervised) knowsIdentity() {
	s.Helper()
	within(s.T, patience, "the sidecar knows identity", func() bool { return curl(s.T, "-H", byHeader, s.url+"/users/1").status == 200 })
}

func (s *supervised) signal(what syscall.Signal) {
	s.Helper()
	if err := syscall.Kill(s.pid(), what); err != nil {
		s.Fatal(err)
	}
}

func (s *supervised) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	for _, pid := range s.everyone() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	s.tasks.Wait()
	if s.Failed() {
		text, _ := os.ReadFile(s.log.Name())
		s.Logf("the sidecar said:\n%s", text[max(0, len(text)-lastWords):])
	}
	_ = s.log.Close()
	if s.socket != nil {
		_ = s.socket.Close()
	}
}

// everyone is who may be running: the process that was started last, and the
// one that was ready last.
func (s *supervised) everyone() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []int
	if s.current != nil {
		all = append(all, s.current.Pid)
	}
	if pid := s.pid(); pid != 0 && (s.current == nil || pid != s.current.Pid) {
		all = append(all, pid)
	}
	return all
}
