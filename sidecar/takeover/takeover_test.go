package takeover

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const patience = 20 * time.Second

// role is the variable that makes a process of this test binary a successor.
const role = "TAKEOVER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		goleak.VerifyTestMain(m)
	case "good":
		os.Exit(succeed())
	case "hanging":
		<-time.After(patience)
	}
	os.Exit(3)
}

// succeed is what a successor does: it answers one connection with what it was
// told, and the next one once it may have everything.
func succeed() int {
	p, err := FromEnvironment(Options{})
	if err != nil || !p.Succeeds() {
		return 1
	}
	l, err := p.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	c, err := p.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	if err := p.Ready(context.Background()); err != nil {
		return 1
	}
	conn, err := l.Accept()
	if err != nil {
		return 1
	}
	_, err = io.WriteString(conn, p.State()+" "+c.LocalAddr().String())
	if errors.Join(err, conn.Close()) != nil {
		return 1
	}
	return 0
}

func process(t *testing.T) *Process {
	t.Helper()
	p, err := FromEnvironment(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func listen(t *testing.T, p *Process) net.Listener {
	t.Helper()
	l, err := p.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func upgrade(t *testing.T, p *Process, as string) error {
	t.Helper()
	t.Setenv(role, as)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return p.upgradeTo(ctx, exec.Command(os.Args[0]), "state")
}

func TestASuccessorGoesOnWithTheListeners(t *testing.T) {
	manager := serviceManager(t)
	p := process(t)
	l := listen(t, p)
	packets, err := p.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	if err := upgrade(t, p, "good"); err != nil {
		t.Fatal(err)
	}
	if said := manager(); !strings.HasPrefix(said, "MAINPID=") {
		t.Errorf("the service manager was told %q", said)
	}
	if err := upgrade(t, p, "good"); !errors.Is(err, ErrUpgrading) {
		t.Errorf("a second upgrade: %v", err)
	}
	_ = l.Close()
	conn, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		t.Fatalf("nobody listens: %v", err)
	}
	defer conn.Close()
	p.Release()
	text, err := io.ReadAll(conn)
	if want := "state " + packets.LocalAddr().String(); err != nil || string(text) != want {
		t.Errorf("the successor said %q (%v), want %q", text, err, want)
	}
}

func TestAFailedUpgradeChangesNothing(t *testing.T) {
	p := process(t)
	l := listen(t, p)
	if err := upgrade(t, p, "bad"); err == nil || !strings.Contains(err.Error(), "ended before it was ready") {
		t.Errorf("a successor that ends: %v", err)
	}
	t.Setenv(role, "hanging")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.upgradeTo(ctx, exec.Command(os.Args[0]), ""); err == nil || !strings.Contains(err.Error(), "not ready in time") {
		t.Errorf("a successor that hangs: %v", err)
	}
	go func() {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_ = conn.Close()
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	closesWhileItAccepts(t, l)
}

// A socket that was given to a child is not to block: an Accept of it would
// not end when the listener is closed.
func closesWhileItAccepts(t *testing.T, l net.Listener) {
	t.Helper()
	accepting, ended := make(chan struct{}), make(chan struct{})
	go func() {
		close(accepting)
		_, _ = l.Accept()
		close(ended)
	}()
	<-accepting
	closed := make(chan struct{})
	go func() { _ = l.Close(); close(closed) }()
	for _, done := range []chan struct{}{closed, ended} {
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("the listener blocks")
		}
	}
}

// serviceManager stands in for systemd, and returns what it was told next.
func serviceManager(t *testing.T) (next func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		buffer := make([]byte, 100)
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func TestTheServiceManagerIsTold(t *testing.T) {
	next := serviceManager(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	p := process(t)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := next(); said != "READY=1" {
		t.Errorf("it was told %q", said)
	}
	well := make(chan bool, 1)
	well <- true
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error)
	go func() {
		watched <- p.Watch(ctx, func(context.Context) error {
			select {
			case <-well:
				return nil
			default:
				return errors.New("not well")
			}
		})
	}()
	for range 2 {
		if said := next(); said != "WATCHDOG=1" {
			t.Errorf("it was told %q", said)
		}
		well <- true
	}
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
	if os.Getenv("NOTIFY_SOCKET") != "" || os.Getenv("WATCHDOG_USEC") != "" {
		t.Error("children would speak to the service manager")
	}
}

func TestAnotherProcessesWatchdogIsNone(t *testing.T) {
	m := managerOf(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}[name]
	})
	if m.watchdog != 0 || len(m.environment()) != 1 {
		t.Errorf("got %+v", m)
	}
}

func TestSocketsOfTheServiceManagerGoByTheirAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	name, err := addressOf(file)
	if err != nil || name != "tcp/"+l.Addr().String() {
		t.Fatalf("it is %s, %v", name, err)
	}
	p := process(t)
	p.inherited[name] = file
	again, err := p.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if again.Addr().String() != l.Addr().String() {
		t.Errorf("it listens at %s", again.Addr())
	}
	_ = again.Close()
}

// A predecessor that was killed while its successor started has released
// everything, and nobody but the successor is left to serve.
func TestASuccessorGoesOnWithoutItsPredecessor(t *testing.T) {
	ours, theirs, err := newLine()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	conn, err := net.FileConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	manager := serviceManager(t)
	p := process(t)
	p.predecessor = conn
	_ = ours.Close()
	if err := p.Ready(t.Context()); err != nil {
		t.Errorf("the successor gives up: %v", err)
	}
	if said := manager(); !strings.Contains(said, "READY=1") {
		t.Errorf("the service manager was told %q", said)
	}
}
