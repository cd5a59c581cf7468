package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// upWith runs `fairlead up` with what keeps it from starting.
func upWith(t *testing.T, data string, changed ...string) result {
	t.Helper()
	args := []string{"--data", data, "--nats-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--sidecar-addr", "127.0.0.1:0"}
	var errs strings.Builder
	code := execute(t.Context(), append(append([]string{"up"}, args...), changed...), streams{nil, &strings.Builder{}, &errs})
	return result{code: code, err: errs.String()}
}

func TestATakenPortIsToldInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--nats-addr", "--http-addr", "--sidecar-addr"} {
		got := upWith(t, t.TempDir(), flag, taken.Addr().String())
		want := "fairlead: " + flag + ": " + taken.Addr().String() + " is in use; is another fairlead running?\n"
		if got.code != exitFailed || got.err != want {
			t.Errorf("it gave %+v, want %s", got, want)
		}
	}
}

func TestWhatIsWrongWithTheDataIsNotBlamedOnAnAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	broken := t.TempDir()
	for _, name := range []string{file, filepath.Join(broken, "credentials.json")} {
		if err := os.WriteFile(name, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, data := range []string{file, broken} {
		if got := upWith(t, data); got.code != exitFailed || !strings.HasPrefix(got.err, "fairlead: --data: ") || !strings.Contains(got.err, data) {
			t.Errorf("with %s it gave %+v", data, got)
		}
	}
}

// An address that is wrong is told before a port is opened, or data made.
func TestAddressesAreCheckedFirst(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	got := upWith(t, data, "--sidecar-addr", taken.Addr().String(), "--http-addr", taken.Addr().String(), "--nats-addr", "nowhere")
	if got.code != exitUsage || !strings.HasPrefix(got.err, "fairlead: --nats-addr: ") {
		t.Errorf("it gave %+v", got)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the data directory was made")
	}
}
