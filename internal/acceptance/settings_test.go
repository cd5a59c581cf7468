package acceptance

import (
	"testing"
	"time"
)

// A service's settings are those of the registry, at the start and live, and
// stay as they are while the control plane is away.
func TestSettingsReachTheirService(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	r.startWorker(t, "worker-1")
	url := "http://" + r.instances(t, "worker")["worker-1"].Addr() + "/greeting"
	says := func(want string) func() bool {
		return func() bool { return string(expect(t, 200, url)) == want }
	}
	within(t, patience, "the author's default counts", says("hello"))
	r.succeed(t, "settings", "set", "worker", "GREETING", "good day")
	within(t, 2*time.Second, "a change is heard", says("good day"))

	r.crash()
	holds(t, time.Second, 100*time.Millisecond, "it is kept while the control plane is away", says("good day"))
	r.start(t)
	within(t, patience, "the control plane answers", func() bool {
		return r.cli(t, "settings", "set", "worker", "GREETING", "hello again").code == 0
	})
	within(t, 5*time.Second, "a change after the outage is heard", says("hello again"))
	r.succeed(t, "settings", "unset", "worker", "GREETING")
	within(t, 2*time.Second, "the author's default counts again", says("hello"))
}
