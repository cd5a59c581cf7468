package acceptance

import (
	"fmt"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// The wall clock of the control plane and of the services is set by an hour,
// forward and back, one without the other and all at once. Nobody who lives is
// removed, no request fails, and no routing changes but for the flags whose time
// has come by Atlas's clock, which end once and for good.
func TestFaultTheClockIsSetByAnHour(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	w := newTimeWarp(t, r)
	w.fleet = newFleet(t, r.NATS, newTruth(t, r.tool(t)), "identity-1", "identity-2", "identity-3")
	for _, id := range []string{"identity-4", "identity-5"} {
		r.startIdentity(t, id)
	}
	r.succeed(t, "disable", "identity", "identity-4", "--until", "30m", "--reason", "for half an hour")
	r.succeed(t, "disable", "identity", "identity-5", "--until", "3h", "--reason", "for three")
	w.caller = callThrough(t, w.sidecar)

	w.set(t, "the services' clocks go back", w.services, -time.Hour)
	w.changesNothing(t)
	w.set(t, "the control plane's goes forward", w.plane, time.Hour)
	r.await(t, patience, "identity", "identity-4", "is enabled by itself", func(in registry.Instance, listed bool) bool { return listed && in.Enabled })
	w.changesNothing(t)
	w.set(t, "and back by two", w.plane, -time.Hour)
	w.changesNothing(t)
	w.set(t, "all go forward by two", w.all(), time.Hour)
	w.changesNothing(t)
	w.set(t, "all are right again", w.all(), 0)
	w.changesNothing(t)

	if in := r.instances(t, "identity"); !in["identity-4"].Enabled || in["identity-5"].Enabled {
		t.Errorf("flags: %+v", in)
	}
	for subject, want := range map[string]uint64{"instance.evicted": 0, "instance.enabled": 1, "instance.disabled": 2} {
		if n := w.count(t, "events.v1.local.identity."+subject); n != want {
			t.Errorf("%d events %s, want %d", n, subject, want)
		}
	}
	if n := w.count(t, "events.v1.local.atlas.registry.held"); n != 0 {
		t.Errorf("%d times evictions were held back", n)
	}
	w.caller.stop()
	if lost := w.caller.lost.Load(); lost != nil {
		t.Errorf("of %d requests one was lost: %s", w.caller.answered.Load(), *lost)
	}
	w.endures(t)
}

// A timeWarp is a fleet of which each process's clock can be set.
type timeWarp struct {
	*fleet
	realm           *realm
	sidecar         string
	caller          *caller
	plane, services []*clock
}

func newTimeWarp(t *testing.T, r *realm) *timeWarp {
	t.Helper()
	w := &timeWarp{realm: r, plane: []*clock{wallClock(t, r.up, r.HTTP)}}
	for _, id := range []string{"identity-1", "identity-2", "identity-3"} {
		p := r.startIdentity(t, id)
		in := r.instances(t, "identity")[id]
		w.services = append(w.services, wallClock(t, p, in.Scheme+"://"+in.Addr()))
	}
	var at addresses
	sidecar := startReady(t, "sidecar", &at, "sidecar", "--addr", "127.0.0.1:0", "--whole-realm", "--nats-url", r.NATS)
	w.sidecar, w.services = at.Sidecar, append(w.services, wallClock(t, sidecar, at.Sidecar))
	return w
}

func (w *timeWarp) all() []*clock { return append(w.plane[:1:1], w.services...) }

func (w *timeWarp) set(t *testing.T, what string, clocks []*clock, ahead time.Duration) {
	t.Helper()
	t.Log(what)
	for _, c := range clocks {
		c.set(t, ahead)
	}
}

func (w *timeWarp) count(t *testing.T, subject string) uint64 {
	t.Helper()
	return (&silent{fleet: w.fleet}).count(t, subject)
}

// changesNothing looks on for longer than a lease, after which a node that
// judges nobody for a while judges again.
func (w *timeWarp) changesNothing(t *testing.T) {
	t.Helper()
	w.settles(t)
	before := w.routes()
	holds(t, moreThanALease, 100*time.Millisecond, "routing is what it was", func() bool { return w.routes() == before })
	if got := w.routes(); got != before {
		t.Errorf("routing was %s and is %s", before, got)
	}
	soon(t, patience, "nothing is wrong", func() error { return w.doctorIsContent(t) })
	w.areHeard(t)
}

// routes is what the first table holds of identity.
func (w *timeWarp) routes() string {
	table, _ := w.tables[0].session.Table().Table()
	s := table.Service("identity")
	text := fmt.Sprint(s.Revision)
	for _, in := range s.Instances() {
		text += fmt.Sprintf(" %s:%s:%t", in.ID, in.Status, in.Enabled)
	}
	return text
}

// doctorIsContent tells what the doctor is worried about, but for the flags
// that the work leaves behind.
func (w *timeWarp) doctorIsContent(t *testing.T) error {
	t.Helper()
	said := w.realm.cli(t, "doctor", "-o", "json", "--sidecar-addr", hostOf(w.sidecar))
	for _, check := range decode[struct {
		Checks []struct{ Check, Status, Detail string }
	}](t, said.out).Checks {
		if check.Status != "ok" && check.Check != "overrides" && check.Check != "services" {
			return fmt.Errorf("%s: %s: %s", check.Check, check.Status, check.Detail)
		}
	}
	return nil
}

// areHeard checks that heartbeats come, and that ages are not those of another
// clock.
func (w *timeWarp) areHeard(t *testing.T) {
	t.Helper()
	told := decode[registry.Explanation](t, w.realm.succeed(t, "explain", "identity", "-o", "json"))
	if len(told.Instances) != 5 || told.AgeMS < 0 || told.AgeMS > 10_000 {
		t.Errorf("%d instances, as of %d ms ago", len(told.Instances), told.AgeMS)
	}
	for _, one := range told.Instances {
		if f := one.Facts; f == nil || f.HeartbeatAgeMS < 0 || f.HeartbeatAgeMS > 6000 {
			t.Errorf("%s: %+v", one.Instance, f)
		}
	}
}
