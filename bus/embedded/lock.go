package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrInUse says that another process runs on the data directory. Two servers
// on one store would corrupt it.
var ErrInUse = errors.New("data directory is in use by another process")

// lockFile is below the data directory.
const lockFile = "lock"

// lockDir takes the directory for this process. The kernel gives it back when
// the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded bus: lock data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := readHolder(file)
		return nil, errors.Join(lockError(dir, holder, err), file.Close())
	}
	return file, writeHolder(file)
}

func lockError(dir, holder string, err error) error {
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("embedded bus: %s%s: %w", dir, holder, ErrInUse)
	}
	return fmt.Errorf("embedded bus: lock %s: %w", dir, err)
}

// readHolder names the process to look at; the lock, not this, decides.
func readHolder(file *os.File) string {
	buf := make([]byte, 16)
	n, _ := file.ReadAt(buf, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}

func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("embedded bus: write lock: %w", err)
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("embedded bus: write lock: %w", err)
	}
	return nil
}
