package takeover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ErrUpgrading says that there is a successor already.
var ErrUpgrading = errors.New("an upgrade has begun already")

// What is said on the line between a process and its successor.
const (
	wordReady   = "ready\n"
	wordRelease = "release\n"
)

// Ready tells whoever waits for it that this process serves: the service
// manager, or else the predecessor, and then waits until that has released what
// only one process may have. It returns when this one may take that.
func (p *Process) Ready(ctx context.Context) error {
	p.dropUnused()
	if p.predecessor == nil {
		return p.manager.tell("READY=1")
	}
	defer p.predecessor.Close()
	if _, err := p.predecessor.Write([]byte(wordReady)); err != nil {
		// A predecessor that was killed meanwhile released everything, and left
		// nobody else to serve.
		p.log.Warn("the predecessor is gone, going on without it", "error", err)
		return p.manager.tell("READY=1")
	}
	stop := context.AfterFunc(ctx, func() { _ = p.predecessor.Close() })
	defer stop()
	// A predecessor that is gone has released everything too.
	_, _ = bufio.NewReader(p.predecessor).ReadString('\n')
	return ctx.Err()
}

// Upgrade starts this process's program anew, with the same arguments, and
// waits until it is ready. The program is looked up where it was: a newer one
// that was put there is what starts. State is for the successor's State. An
// error means that there is none, and that everything is as before.
func (p *Process) Upgrade(ctx context.Context, state string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	return p.upgradeTo(ctx, exec.Command(program, os.Args[1:]...), state)
}

func (p *Process) upgradeTo(ctx context.Context, cmd *exec.Cmd, state string) error {
	if !p.upgrading.CompareAndSwap(false, true) {
		return fmt.Errorf("upgrade: %w", ErrUpgrading)
	}
	err := p.succeed(ctx, cmd, state)
	if err != nil {
		p.upgrading.Store(false)
		return fmt.Errorf("upgrade: %w", err)
	}
	return nil
}

// succeed leaves no process behind if it fails.
func (p *Process) succeed(ctx context.Context, cmd *exec.Cmd, state string) error {
	ours, theirs, err := newLine()
	if err != nil {
		return err
	}
	if err := p.start(cmd, theirs, state); err != nil {
		return errors.Join(err, ours.Close())
	}
	if err := awaitReady(ctx, ours); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it ended as told, or by itself
		return errors.Join(err, ours.Close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.held {
		h.keep()
	}
	p.successor = ours
	p.log.Info("a successor has taken over", "pid", cmd.Process.Pid)
	if err := p.manager.tell(fmt.Sprintf("MAINPID=%d", cmd.Process.Pid)); err != nil {
		p.log.Warn("the service manager does not know its new main process", "error", err)
	}
	_ = cmd.Process.Release() // it is nobody's child from here on
	return nil
}

// start closes what only the successor needs from then on.
func (p *Process) start(cmd *exec.Cmd, line *os.File, state string) error {
	defer line.Close()
	names, files, err := p.files()
	defer func() {
		for _, file := range files {
			_ = file.Close()
		}
	}()
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = append([]*os.File{line}, files...)
	cmd.Env = append(os.Environ(), envListeners+"="+strings.Join(names, " "), envState+"="+state)
	cmd.Env = append(cmd.Env, p.manager.environment()...)
	return cmd.Start()
}

// newLine returns the ends of a connection of two processes.
func newLine() (ours, theirs *os.File, err error) {
	// No other child that is started meanwhile is to inherit them.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	return os.NewFile(uintptr(ends[0]), "line"), os.NewFile(uintptr(ends[1]), "line"), nil
}

// awaitReady waits for the successor's word.
func awaitReady(ctx context.Context, line *os.File) error {
	conn, err := net.FileConn(line)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	word, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the new process was not ready in time: %w", context.Cause(ctx))
	case word != wordReady:
		return errors.Join(errors.New("the new process ended before it was ready; see what it said"), ignoreEOF(err))
	}
	return nil
}

// ignoreEOF leaves out what says nothing new.
func ignoreEOF(err error) error {
	if err != nil && err.Error() == "EOF" {
		return nil
	}
	return err
}

// Release lets the successor have what only one process may have; without one
// it does nothing. The end of this process does the same.
func (p *Process) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.successor == nil {
		return
	}
	_, _ = p.successor.WriteString(wordRelease) // a successor that is gone needs nothing
	_ = p.successor.Close()
}
