package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead.dev/sidecar/takeover"
)

func TestASocketTakesADeadOnesPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sidecar.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	closeQuietly(dead)
	process, err := takeover.FromEnvironment(takeover.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listenUnix(process, path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(l)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	if _, err := listenUnix(process, path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket that lives was taken over: %v", err)
	}
}
