package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Names within the folder in which HAProxy runs; its configuration has them as
// they are, so no path of the host gets in there.
const (
	configFile  = "haproxy.cfg"
	checkedFile = "haproxy.new.cfg"
	mapFile     = mapName
	scriptFile  = "hop.lua"
	logFile     = "haproxy.log"
	pidFile     = "haproxy.pid"
	lockFile    = "lock"
	runtimeSock = "runtime.sock"
	masterSock  = "master.sock"
	asideSock   = "aside.sock"
)

// maxSocketPath is what Unix has room for, less the suffix that HAProxy adds
// while it binds.
const maxSocketPath = 107 - 16

// A folder is where one HAProxy runs.
type folder struct{ path string }

func (f folder) file(name string) string { return filepath.Join(f.path, name) }

// open makes the folder and takes it for this process, until unlock.
func (f folder) open() (unlock func() error, err error) {
	if n := len(f.file(runtimeSock)); n > maxSocketPath {
		return nil, fmt.Errorf("--data: must be at most %d characters long, because sockets are made there: %s", maxSocketPath-len(runtimeSock)-1, f.path)
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, fmt.Errorf("make haproxy's folder: %w", err)
	}
	return lock(f.file(lockFile))
}

// write replaces a file at once: a reader sees the old one or the new one.
func (f folder) write(name string, content []byte) error {
	path := f.file(name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("write for haproxy: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write for haproxy: %w", err)
	}
	return nil
}

// adopt has the configuration that is to be checked be the one, if HAProxy
// takes it.
func (f folder) adopt(ctx context.Context, program string, s structure) error {
	if err := check(ctx, program, f, len(s.doors)); err != nil {
		return err
	}
	if err := os.Rename(f.file(checkedFile), f.file(configFile)); err != nil {
		return fmt.Errorf("write for haproxy: %w", err)
	}
	return nil
}

// maxLog is how much of HAProxy's messages is kept.
const maxLog = 1 << 20

// trimLog empties the log when it has become long. HAProxy appends to it.
func (f folder) trimLog() {
	if info, err := os.Stat(f.file(logFile)); err == nil && info.Size() > maxLog {
		_ = os.Truncate(f.file(logFile), 0)
	}
}

// complaints returns what HAProxy found fault with since a position in its
// log, on one line.
func (f folder) complaints(since int64) string {
	file, err := os.Open(f.file(logFile))
	if err != nil {
		return ""
	}
	defer file.Close()
	if _, err := file.Seek(since, io.SeekStart); err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(file, maxLog))
	return complaintsIn(string(text))
}

func complaintsIn(text string) string {
	var found []string
	for line := range strings.SplitSeq(text, "\n") {
		if level, message, ok := strings.Cut(line, ") : "); ok && strings.HasPrefix(level, "[ALERT]") {
			found = append(found, message)
		}
	}
	return strings.Join(found, "; ")
}

func (f folder) logSize() int64 {
	info, err := os.Stat(f.file(logFile))
	if err != nil {
		return 0
	}
	return info.Size()
}

// errLocked says that another process has the folder.
var errLocked = errors.New("another sidecar uses this folder")
