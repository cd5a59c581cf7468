package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"fairlead.dev/connect"
)

// stopTimeout bounds the wait for a process that was asked to end.
const stopTimeout = 15 * time.Second

// A process is one that the demo started. It ends no other.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
	err    error
}

// startProcess runs a command whose output goes to a file named for it.
func startProcess(dir, name string, env []string, command ...string) (*process, error) {
	logName := filepath.Join(dir, name+".log")
	out, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(append(os.Environ(), connect.EnvCache+"="+connect.NoCache), env...)
	// A group of its own keeps the terminal's Ctrl-C for the demo, which ends
	// its processes in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, log: logName, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the process as a power cut would, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop asks the process to end and waits; one that does not is killed.
func (p *process) stop(ctx context.Context) error {
	if !p.alive() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("stop %s: %w: %s", p.name, p.err, p.lastWords())
		}
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("stop %s: it did not end in time and was killed", p.name)
	}
}

// lastWords returns the last line that the process wrote.
func (p *process) lastWords() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(lines[len(lines)-1])
}
