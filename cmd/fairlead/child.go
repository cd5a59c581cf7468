package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// A child is a program in a process group of its own, so that a Ctrl-C in the
// terminal does not reach it before its callers have gone elsewhere, and so
// that what it starts can be told to stop with it.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// outputWait is how long the output of what a child left behind is read, where
// it is no file.
const outputWait = time.Second

func startChild(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = childAttributes()
	cmd.WaitDelay = outputWait
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go c.run(started)
	return c, <-started
}

// run stays on one thread: the kernel counts a child as orphaned when the
// thread ends that started it, not the process.
func (c *child) run(started chan<- error) {
	defer close(c.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = c.cmd.Wait()
	c.signal(syscall.SIGTERM) // what it left behind in its group
}

// signal is for the whole group; one that is gone needs none.
func (c *child) signal(s syscall.Signal) { _ = syscall.Kill(-c.cmd.Process.Pid, s) }

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop asks the child to end, and kills it when it does not or somebody is in
// a hurry. It returns when the child has ended.
func (c *child) stop(hurry context.Context, within time.Duration) {
	if c.ended() {
		return
	}
	c.signal(syscall.SIGTERM)
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.done:
		return
	case <-timer.C:
	case <-hurry.Done():
	}
	c.signal(syscall.SIGKILL)
	<-c.done
}

// forward passes signals on until stop is called, which waits for that.
func (c *child) forward(signals ...os.Signal) (stop func()) {
	heard, stopped := make(chan os.Signal, 8), make(chan struct{})
	signal.Notify(heard, signals...)
	go func() {
		defer close(stopped)
		for s := range heard {
			c.signal(s.(syscall.Signal))
		}
	}()
	return func() {
		signal.Stop(heard)
		close(heard)
		<-stopped
	}
}

// state tells how an ended child ended.
func (c *child) state() string { return c.cmd.ProcessState.String() }

// exit returns how an ended child ended: nil, or its exit code. One that a
// signal killed counts as shells count it.
func (c *child) exit() error {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return exitError(128 + int(status.Signal()))
	case c.cmd.ProcessState.ExitCode() == 0:
		return nil
	}
	return exitError(c.cmd.ProcessState.ExitCode())
}

// programInput keeps terminals from a child: it is not in the foreground, so
// the first read would stop it.
func programInput(in io.Reader) io.Reader {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice != 0 {
		return nil
	}
	return f
}
