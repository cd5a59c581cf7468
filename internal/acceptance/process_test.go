package acceptance

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/internal/logtest"
)

const (
	// patience bounds every wait for something that has no bound of its own.
	patience = 20 * time.Second
	// lastWords is how much of what a process said is shown when a test fails.
	lastWords = 4000
)

// A process is a program that a test started and that ends with it.
type process struct {
	name string
	cmd  *exec.Cmd
	said logtest.Text
	done chan struct{} // closed when it has ended
}

// start runs a command until the test ends, unless it is ended before.
func start(t *testing.T, name string, env []string, command ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	p.cmd.Env = environment(env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.SysProcAttr = attributes()
	// What a shell leaves behind may hold its output open.
	p.cmd.WaitDelay = time.Second
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		if !p.stop() {
			t.Logf("%s had to be killed after %s", name, patience)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", name, last(p.said.String(), lastWords))
		}
	})
	return p
}

// run stays on one thread, because the kernel takes a child for orphaned when
// the thread ends that started it.
func (p *process) run(started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait()
	}
}

// stop asks the process to end, and kills it when it does not, which it tells.
func (p *process) stop() (ended bool) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		p.kill()
		return false
	}
}

// kill ends the process as a crash does.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// code waits for the end of the process and returns its exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	within(t, patience, p.name+" ends", p.ended)
	return p.cmd.ProcessState.ExitCode()
}

// last returns the end of a text.
func last(text string, n int) string { return text[max(0, len(text)-n):] }

// environment is this process's without what would lead a program elsewhere,
// and with short drains, so that tests end soon.
func environment(more ...string) []string {
	env := []string{"FAIRLEAD_DRAIN_DELAY=50ms", "GORACE=atexit_sleep_ms=0"}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "FAIRLEAD_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, variable)
		}
	}
	return append(env, more...)
}

// A result is what a command left behind.
type result struct {
	code     int
	out, err string
}

// run runs a command to its end.
func run(t *testing.T, env []string, command ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = environment(env...)
	var out, errs logtest.Text
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", command[0], err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// need returns the path of a program that the tests cannot do without.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v: apt-get install %s", err, program)
	}
	return path
}
