package embedded_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
)

func TestStartIsQuick(t *testing.T) {
	began := time.Now()
	srv := start(t, embedded.Options{})
	t.Logf("first start took %v", time.Since(began))
	asApp(t, srv)
	if took := time.Since(began); took > time.Second {
		t.Errorf("start and first connection took %v, expected well below a second", took)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	first := start(t, embedded.Options{DataDir: dir})
	_, js := provisioned(t, first)
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a", "x"); err != nil {
		t.Fatal(err)
	}
	stop(t, first)

	second := start(t, embedded.Options{DataDir: dir})
	if first.Name() != second.Name() || first.AtlasCredentials() != second.AtlasCredentials() {
		t.Error("name or credentials changed over a restart")
	}
	_, js = provisioned(t, second)
	kv, err = js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), "hosts.local.identity.a")
	if err != nil || string(entry.Value()) != "x" || entry.Revision() != 1 {
		t.Errorf("after restart: %v, %v", entry, err)
	}
}

func TestStopAgainIsHarmless(t *testing.T) {
	srv := start(t, embedded.Options{})
	stop(t, srv)
	stop(t, srv)
}

func TestTakenPortNamesTheAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	_, err = embedded.Start(t.Context(), embedded.Options{DataDir: dir, Port: port, Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("got %v, expected an error naming %s", err, taken.Addr())
	}
	start(t, embedded.Options{DataDir: dir}) // the failed start let go of everything
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, embedded.Options{DataDir: dir})
	_, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir, Logger: quiet})
	if !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v, expected ErrInUse naming %s", err, dir)
	}
}

func TestCredentialsArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	srv := start(t, embedded.Options{DataDir: dir})
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "credentials.json"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: mode %o, expected %o", path, got, want)
		}
	}
	creds, err := embedded.ReadCredentials(dir)
	if err != nil || creds.Atlas != srv.AtlasCredentials() {
		t.Errorf("ReadCredentials: %v, %v", creds, err)
	}
}

func TestInProcessConnections(t *testing.T) {
	srv := start(t, embedded.Options{})
	if !connect(t, srv.AtlasOptions()).IsConnected() || !connect(t, srv.AppOptions()).IsConnected() {
		t.Error("expected both accounts to be reachable in process")
	}
}

func TestAnonymousOnlyOnLoopback(t *testing.T) {
	for name, opts := range map[string]embedded.Options{
		"login required":  {RequireLogin: true},
		"beyond loopback": {Host: "0.0.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, opts)
			conn, err := bus.Connect(t.Context(), bus.Options{URL: srv.ClientURL(), FailFast: true, Logger: quiet})
			if err == nil {
				conn.Close()
				t.Fatal("expected a connection without credentials to be refused")
			}
			app := srv.AppCredentials()
			connect(t, bus.Options{URL: srv.ClientURL(), User: app.User, Password: app.Password})
		})
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for field, opts := range map[string]embedded.Options{
		"DataDir": {},
		"Port":    {DataDir: t.TempDir(), Port: 70000},
	} {
		if _, err := embedded.Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, expected an error naming %s", err, field)
		}
	}
}
