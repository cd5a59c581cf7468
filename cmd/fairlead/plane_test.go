package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sidecarSays runs a sidecar that is to end by itself.
func sidecarSays(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var written, errs strings.Builder
	code = execute(t.Context(), append([]string{"sidecar"}, args...), streams{strings.NewReader(""), &written, &errs})
	return code, written.String(), errs.String()
}

func TestPlaneFlagsThatDoNotGoTogether(t *testing.T) {
	for want, args := range map[string][]string{
		"--haproxy-socket: needs":     {"--haproxy-socket", "/run/s"},
		"--keep-haproxy: must not":    {"--plane", "haproxy", "--haproxy-socket", "/run/s", "--keep-haproxy"},
		"--print-config: needs":       {"--plane", "haproxy", "--print-config"},
		"addr: must name a port":      {"--plane", "haproxy", "--haproxy-socket", "/run/s", "--addr", "127.0.0.1:0", "--print-config"},
		"--haproxy-socket: must be a": {"--plane", "haproxy", "--haproxy-socket", "/run/" + strings.Repeat("s", 100), "--print-config"},
	} {
		if code, _, said := sidecarSays(t, args...); code != exitUsage || !strings.Contains(said, want) {
			t.Errorf("%v ended with %d: %s", args, code, said)
		}
	}
}

// TestPrintedConfiguration: HAProxy has checked it.
func TestPrintedConfiguration(t *testing.T) {
	// Sockets' paths are short.
	data, err := os.MkdirTemp("", "fl-print")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	code, out, said := sidecarSays(t, "--plane", "haproxy", "--haproxy-socket", filepath.Join(data, "s"), "--data", data,
		"--addr", "127.0.0.1:4000", "--port", "identity=4100", "--unix", filepath.Join(data, "u"), "--realms", "test,local", "--print-config")
	if code != exitOK {
		t.Fatalf("ended with %d: %s", code, said)
	}
	for _, part := range []string{"stats socket 'unix@" + data + "/s'", "bind '127.0.0.1:4000'", "bind '127.0.0.1:4100'", "bind 'unix@" + data + "/u'", "default-path origin '" + data + "/haproxy'"} {
		if !strings.Contains(out, part) {
			t.Errorf("%s is missing in\n%.2000s", part, out)
		}
	}
	for _, name := range []string{"haproxy.cfg", "hop.lua", "services.map"} {
		if _, err := os.Stat(filepath.Join(data, "haproxy", name)); err != nil {
			t.Error(err)
		}
	}
}
