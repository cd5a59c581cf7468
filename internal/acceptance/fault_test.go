package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// backFromStopWithin is how soon a service that was stopped is routed to again.
const backFromStopWithin = 2 * time.Second

// Each of these breaks something while clients work, mends it, and asks the
// same of what is left: every table equals the truth within ten seconds, no
// acknowledged registration or flag is lost, every call on record could have
// been answered so by a registry in one piece, no table ever went back, and
// none ever missed an instance that lived.

func TestFaultTheControlPlaneIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	f := fleetOf(t, r)
	for range 3 {
		pause(t, time.Second)
		r.crash()
		r.start(t)
	}
	pause(t, time.Second)
	f.endures(t)
}

func TestFaultTheControlPlaneIsStoppedForAWhile(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	f := fleetOf(t, r)
	pause(t, time.Second)
	r.up.signal(syscall.SIGSTOP)
	pause(t, stoppedFor(12*time.Second))
	r.up.signal(syscall.SIGCONT)
	pause(t, 8*time.Second)
	f.endures(t)
}

func TestFaultAnOlderDataDirectoryIsRestored(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	for _, id := range []string{"identity-1", "identity-2"} {
		r.startIdentity(t, id)
	}
	r.succeed(t, "disable", "identity", "identity-1", "--reason", "kept in the backup")
	r.crash()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(r.data)); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	r.startIdentity(t, "identity-3")
	f := newFleet(t, r.NATS, newTruth(t, r.tool(t)), "identity-1", "identity-2", "identity-3")
	f.work.stop() // what it is told now will be lost with the directory
	r.crash()
	if err := os.RemoveAll(r.data); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(r.data, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	f.settles(t)
	if in := r.instances(t, "identity")["identity-1"]; in.Enabled {
		t.Errorf("the flag that was in the backup is lost: %+v", in)
	}
	for _, w := range f.tables {
		w.stop()
		// It had to go back: what it held is no more. It lost nobody by that.
		for _, problem := range w.missing {
			t.Error(problem)
		}
	}
}

func TestFaultTheBucketIsDeletedByHand(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	f := fleetOf(t, r)
	f.work.blind.Store(true)
	js, err := jetstream.New(r.tool(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		pause(t, time.Second)
		if err := js.DeleteKeyValue(t.Context(), "atlas"); err != nil {
			t.Fatal(err)
		}
		pause(t, 8*time.Second)
		f.settles(t)
	}
	f.endures(t)
}

func TestFaultRubbishIsPutByHandOverAndOver(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	f := fleetOf(t, r)
	kv := r.bucket(t, "atlas")
	for n := range 200 {
		id := f.living[n%len(f.living)]
		put(t, kv, "hosts.local.identity."+id, `{"host":"127.0.0.1","port":70000}`)
		put(t, kv, "hosts.local.identity."+id+".enabled", "perhaps")
	}
	f.endures(t)
}

func TestFaultServicesAreStoppedForAWhile(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	stopped := []*process{r.startIdentity(t, "stopped-1"), r.startIdentity(t, "stopped-2")}
	f := fleetOf(t, r)
	for _, p := range stopped {
		p.signal(syscall.SIGSTOP)
	}
	began := time.Now()
	for _, id := range []string{"stopped-1", "stopped-2"} {
		by(t, began.Add(goneWithin), id+" is gone from every table", func() bool { return !f.lists(id) })
	}
	t.Logf("stopped services were gone after %s", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	for _, p := range stopped {
		p.signal(syscall.SIGCONT)
	}
	f.living = append(f.living, "stopped-1", "stopped-2")
	soon(t, backFromStopWithin, "they are back in every table", func() error { return f.differs(t.Context()) })
	t.Logf("they were back after %s", time.Since(began).Round(time.Millisecond))
	f.endures(t)
}

func TestFaultServicesAreKilledOneAfterTheOther(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	f := fleetOf(t, r)
	for n := range 5 {
		id := fmt.Sprintf("killed-%d", n)
		p := r.startIdentity(t, id)
		within(t, patience, id+" is in every table", func() bool { return f.allList(id) })
		p.kill()
		began := time.Now()
		gone := within(t, goneWithin, id+" is gone from every table", func() bool { return !f.lists(id) })
		t.Logf("gone from every table within %s of %s", gone.Round(time.Millisecond), began.Format(time.TimeOnly))
	}
	f.endures(t)
}

// It is not parallel to the others: a thousand tables keep this process busy.
func TestFaultAThousandClientsReconnectAtOnce(t *testing.T) {
	r := startRestartable(t)
	f := fleetOf(t, r)
	// So busy a process cannot answer for the instances of its clients in time.
	pause(t, 2*time.Second)
	f.work.stop()
	for range 1000 - tablesOfAFleet {
		f.also = append(f.also, f.open(t))
	}
	f.settles(t)
	r.crash()
	r.start(t)
	f.settles(t)
	f.endures(t)
}

// A check that cannot fail would prove nothing: here it has to.
func TestFaultABuildWithoutCompareAndSetIsFoundOut(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "fairlead")
	if err := build(broken, "-tags", "withoutcas"); err != nil {
		t.Fatal(err)
	}
	r := &realm{data: filepath.Join(t.TempDir(), "data")}
	file := filepath.Join(t.TempDir(), "ready.json")
	r.up = start(t, "broken", nil, broken, "server", "--data", r.data, "--nats-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--ready-file", file)
	r.up.awaitReady(t, file, &r.addresses)
	f := fleetOf(t, r)
	soon(t, time.Minute, "two clients are told that a key is theirs", func() error {
		if f.work.history.Check(time.Minute) == nil {
			return errors.New("every call makes sense")
		}
		return nil
	})
}

// pause lets the work go on for a while.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	holds(t, d, d/4, "the test goes on", func() bool { return t.Context().Err() == nil })
}
