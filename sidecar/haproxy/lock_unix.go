//go:build unix

package haproxy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// lock takes a file for this process alone; the end of the process, however it
// comes, gives it back.
func lock(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock haproxy's folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock haproxy's folder: %w: %s", errLocked, path), file.Close())
	}
	return file.Close, nil
}

// detach gives a program a session of its own, so that it outlives this
// process and the terminal.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// gracefully is the signal on which HAProxy takes no more connections and ends
// once those it has are done.
const gracefully = syscall.SIGUSR1

// atOnce is the signal on which it ends, whatever it has.
const atOnce = syscall.SIGTERM

// openFiles returns how many files this process, and what it starts, may have
// open.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Max, 1<<20))
}
