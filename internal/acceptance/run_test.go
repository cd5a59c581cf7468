package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// wrap runs a program as an instance "one".
func (r *realm) wrap(t *testing.T, service, flags string, program ...string) *process {
	t.Helper()
	args := append([]string{fairlead, "run", "--service", service, "--instance", "one", "--port", "0"}, strings.Fields(flags)...)
	return start(t, "run "+service, []string{"FAIRLEAD_NATS_URL=" + r.NATS}, append(append(args, "--"), program...)...)
}

func TestAWrappedProgramIsRegisteredOnceItIsHealthy(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	well := filepath.Join(t.TempDir(), "well")
	p := r.wrap(t, "moody", "--health /health --health-interval 100ms", need(t, "python3"), filepath.Join("testdata", "moody.py"), well)
	within(t, patience, "its health was asked for", func() bool { return strings.Count(p.said.String(), "asked, and unwell") >= 3 })
	if in, listed := r.instances(t, "moody")["one"]; listed {
		t.Errorf("it is unwell, and listed: %+v", in)
	}
	if err := os.WriteFile(well, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.await(t, patience, "moody", "one", "passes", passes)
	if err := os.Remove(well); err != nil {
		t.Fatal(err)
	}
	r.await(t, patience, "moody", "one", "is critical", func(in registry.Instance, listed bool) bool {
		return listed && in.Status == registry.Critical
	})
}

func TestAWrappedProgramIsDrainedOnSIGTERM(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	greeting := filepath.Join("..", "..", "examples", "greeting", "greeting.py")
	p := r.wrap(t, "greeting", "--health /health --drain-delay 1s", need(t, "python3"), greeting)
	r.await(t, patience, "greeting", "one", "passes", passes)
	greet := []string{"-H", "Fairlead-Service: greeting", r.Sidecar + "/greetings/Ada"}
	if body := expect(t, 200, greet...); !contains(body, "Hello, Ada!") {
		t.Errorf("it says %s", body)
	}
	p.signal(syscall.SIGTERM)
	r.await(t, time.Second, "greeting", "one", "drains", func(in registry.Instance, listed bool) bool {
		return listed && in.Status == registry.Draining
	})
	within(t, time.Second, "callers are sent elsewhere", func() bool { return curl(t, greet...).status == 503 })
	if contains(p.said.String(), "requests served") {
		t.Error("it was told to end before its callers had gone")
	}
	if code := p.code(t); code != 0 || !contains(p.said.String(), `"msg": "requests served"`) {
		t.Errorf("it ended with exit code %d", code)
	}
	if in, listed := r.instances(t, "greeting")["one"]; listed {
		t.Errorf("it has ended, and is listed: %+v", in)
	}
}

func TestAWrappedProgramsExitCodeIsPassedOn(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	if code := r.wrap(t, "short", "", "sh", "-c", "exit 7").code(t); code != 7 {
		t.Errorf("a program that ends with 7 gives %d", code)
	}
	if code := r.wrap(t, "short", "", "sh", "-c", "kill -TERM $$").code(t); code != 128+15 {
		t.Errorf("a program that SIGTERM ended gives %d", code)
	}
}

func TestAWrappedProgramThatIsKilledIsDeregisteredAtOnce(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	file := filepath.Join(t.TempDir(), "pid")
	p := r.wrap(t, "site", "", "sh", "-c", "echo $$ >"+file+".part && mv "+file+".part "+file+" && exec python3 -m http.server $PORT --bind 127.0.0.1")
	r.await(t, patience, "site", "one", "passes", passes)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(decode[int](t, string(text)), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	took := r.await(t, time.Second, "site", "one", "is gone", isGone)
	t.Logf("gone after %s", took.Round(time.Millisecond))
	if code := p.code(t); code != 128+9 {
		t.Errorf("the wrapper ended with exit code %d", code)
	}
}

func TestAServiceThatIsKilledIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	p := r.startIdentity(t, "identity-1")
	p.kill()
	took := r.await(t, goneWithin, "identity", "identity-1", "is gone", isGone)
	t.Logf("gone after %s", took.Round(time.Millisecond))
}
