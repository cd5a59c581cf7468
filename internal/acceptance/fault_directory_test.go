package acceptance

import (
	"os"
	"strings"
	"testing"
	"time"
)

// What is written after that goes to files that nobody can find any more, and
// the server would not notice.
func TestFaultTheDataDirectoryIsRemovedWhileItRuns(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	f := fleetOf(t, r)
	r.succeed(t, "disable", "identity", "identity-1", "--reason", "from before")
	f.work.blind.Store(true)
	epoch := r.revision(t).Epoch
	pause(t, time.Second)
	// Again while the server makes files in what is being removed.
	within(t, patience, "the directory is removed", func() bool { return os.RemoveAll(r.data) == nil })
	within(t, healedWithin, "the registry is rebuilt under a new epoch", func() bool { return r.revision(t).Epoch != epoch })
	if !strings.Contains(r.up.said.String(), "data directory was removed") {
		t.Error("the log says nothing of it")
	}
	pause(t, 2*time.Second)
	f.settles(t)
	if in := r.instances(t, "identity")["identity-1"]; in.Enabled || in.Reason != "from before" {
		t.Errorf("its flag is lost: %+v", in)
	}
	f.endures(t)
	r.crash()
	r.up = r.launch(t, r.addresses, &r.addresses)
	f.settles(t)
	if got := r.cli(t, "doctor"); got.code != 0 {
		t.Errorf("after a restart on the directory that was made anew: %s%s", got.out, got.err)
	}
}
