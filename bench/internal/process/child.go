// Package process starts the processes of a measurement, measures them, and
// sees to it that none is left behind.
//
//	server, err := process.Start(process.Spec{Path: "bin/fairlead", Args: []string{"server"}, Log: "server.log"})
//	defer server.Kill()
//	before, err := server.Usage()
//
// The kernel kills the children of a benchmark that dies.
package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Spec says what is run.
type Spec struct {
	Path string
	Args []string
	// Log is the file that gets standard error, and standard output unless
	// the child talks.
	Log string
	// Talks connects the child's standard input and output to [Child.Write]
	// and [Child.Read]. Otherwise its input stays open and silent.
	Talks bool
}

// A Child is a process that this one started.
type Child struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	out   io.ReadCloser
	log   *os.File
	once  sync.Once
}

// Start starts a process. The environment is this one's, without what
// would configure the product.
func Start(spec Spec) (*Child, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(spec.Path, spec.Args...), log: log}
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FAIRLEAD_") })
	c.cmd.Stderr = log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.start(spec.Talks); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", spec.Path, err), log.Close())
	}
	return c, nil
}

func (c *Child) start(talks bool) (err error) {
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	if !talks {
		c.cmd.Stdout = c.log
	} else if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return err
	}
	return startChild(c.cmd)
}

// Read reads what a child that talks says.
func (c *Child) Read(p []byte) (int, error) { return c.out.Read(p) }

// Write tells a child something.
func (c *Child) Write(p []byte) (int, error) { return c.input.Write(p) }

// Close ends what is told to a child; those of this program end with it.
func (c *Child) Close() error { return c.input.Close() }

// PID is the process's id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Kill ends the process with SIGKILL and waits for it. Later calls do nothing.
func (c *Child) Kill() {
	c.once.Do(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait() // killed: the status says nothing else
		_ = c.log.Close()
	})
}

// Pause stops the process until [Child.Resume].
func (c *Child) Pause() error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (c *Child) Resume() error { return c.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the process to end, for those that end children of their own, and
// kills it when it takes longer than grace.
func (c *Child) Stop(grace time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(grace, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	c.once.Do(func() {
		_ = c.cmd.Wait() // it ended, whatever its status says
		_ = c.log.Close()
	})
}
