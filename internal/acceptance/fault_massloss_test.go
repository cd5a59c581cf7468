package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
	"fairlead.dev/schemas"
)

const (
	// heldAfter is how soon everybody's silence is told of: a lease, its last
	// probes, and what a busy machine adds.
	heldAfter = 20 * time.Second
	// provenWithin is how soon a proven death is, while the others' are held
	// back.
	provenWithin = time.Second
	// moreThanALease is for how long a node that was stopped is watched: it
	// begins to judge again after a lease.
	moreThanALease = 9 * time.Second
)

// stoppedFor is how long Atlas is stopped, a minute where time is no matter.
func stoppedFor(otherwise time.Duration) time.Duration {
	if os.Getenv("FAIRLEAD_FAULTS") == "long" {
		return time.Minute
	}
	return otherwise
}

// The bus is cut off from everybody but one service on its own host. Atlas
// hears nobody, reaches nobody, and is stopped for a while on top of it: all
// that must go is the one whose death is proven.
func TestFaultTheBusIsCutOffFromEverybodyAndAtlasIsStopped(t *testing.T) {
	hosts := newNetwork(t)
	c, keys := newNetworkedCluster(t, hosts, 1)
	c.start(t, c.nodes...)
	f := newNetworkedFleet(t, hosts, c, keys)
	s := &silent{fleet: f, node: c.nodes[0], hosts: hosts, near: startNear(t, hosts, f, letIn(t, keys, "near", "--role", "instance", "--service", "identity"))}
	within(t, patience, "near-1 is in every table", func() bool { return f.allList("near-1") })
	pause(t, 2*time.Second)

	began := time.Now()
	hosts.link(t, 0, "down")
	s.isToldOf(t)
	killed := time.Now()
	s.near.kill()
	pause(t, 2*provenWithin)
	s.node.up.signal(syscall.SIGSTOP)
	pause(t, stoppedFor(8*time.Second))
	s.node.up.signal(syscall.SIGCONT)
	pause(t, moreThanALease)
	s.isToldOf(t)
	t.Logf("cut off for %s", time.Since(began).Round(time.Second))
	hosts.link(t, 0, "up")

	took := soon(t, patience, "every table equals the truth", func() error { return f.differs(t.Context()) })
	t.Logf("every table equalled the truth %s after the cut", took.Round(time.Millisecond))
	s.onlyTheDeadWasRemoved(t, killed)
	s.wasAnnounced(t, began)
	f.endures(t)
}

// A silent realm is one whose control plane hears nobody.
type silent struct {
	*fleet
	node  *node
	hosts *network
	near  *process
}

// startNear starts a service on the bus's own host.
func startNear(t *testing.T, hosts *network, f *fleet, login string) *process {
	t.Helper()
	return start(t, "near-1", []string{
		"FAIRLEAD_NATS_URL=" + f.url, "FAIRLEAD_CREDENTIALS=" + login, "FAIRLEAD_REALM=local",
		"FAIRLEAD_INSTANCE=near-1", "FAIRLEAD_ADDR=" + hosts.address(0) + ":0",
	}, "ip", "netns", "exec", hosts.space(0), fairlead, "example", "identity")
}

// there runs a command on the bus's own host.
func (s *silent) there(t *testing.T, command ...string) string {
	t.Helper()
	env := []string{"FAIRLEAD_NATS_URL=" + s.url, "FAIRLEAD_CREDENTIALS=" + s.operatorLogin, "FAIRLEAD_REALM=local"}
	return run(t, env, append([]string{"ip", "netns", "exec", s.hosts.space(0)}, command...)...).out
}

// isToldOf waits until the doctor, the metric and the log name what is held
// back: every service that is silent.
func (s *silent) isToldOf(t *testing.T) {
	t.Helper()
	took := soon(t, heldAfter, "the doctor says what is held back", func() error { return s.doctorHolds(t) })
	t.Logf("the doctor told of it after %s", took.Round(time.Millisecond))
	soon(t, patience, "the metric says how many", func() error {
		if n := s.metric(t); n < len(s.living) {
			return fmt.Errorf("it says %d", n)
		}
		return nil
	})
	if !contains(s.node.up.said.String(), "their evictions are held back") {
		t.Error("the log says nothing of it")
	}
}

func (s *silent) doctorHolds(t *testing.T) error {
	t.Helper()
	said := s.there(t, fairlead, "doctor", "-o", "json", "--http-addr", hostOf(s.node.HTTP))
	var found struct {
		Checks []struct{ Check, Status, Detail string }
	}
	if err := json.Unmarshal([]byte(said), &found); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	for _, check := range found.Checks {
		if check.Status == "warn" && contains(check.Detail, append([]string{"held back since"}, s.living...)...) {
			return nil
		}
	}
	return fmt.Errorf("it says %s", said)
}

// metric returns how many evictions are held back, as the node counts them.
func (s *silent) metric(t *testing.T) (n int) {
	t.Helper()
	login, err := bus.ReadCredentials(s.operatorLogin)
	if err != nil {
		t.Fatal(err)
	}
	said := s.there(t, "curl", "-sk", "-H", "Authorization: Bearer "+login.Token, s.node.HTTP+"/metrics")
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "fairlead_atlas_held") && contains(line, `fairlead_realm="local"`) {
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
		}
	}
	return n
}

// onlyTheDeadWasRemoved reads the events of what is evicted.
func (s *silent) onlyTheDeadWasRemoved(t *testing.T, killed time.Time) {
	t.Helper()
	subject := "events.v1.local.identity.instance.evicted"
	if n := s.count(t, subject); n != 1 {
		t.Errorf("%d instances were evicted", n)
	}
	var evicted schemas.InstanceEvicted
	at := s.last(t, subject, &evicted)
	if evicted.Instance != "near-1" {
		t.Errorf("evicted was %s: %s", evicted.Instance, evicted.Cause)
	}
	t.Logf("the one that was killed was gone after %s: %s", at.Sub(killed).Round(time.Millisecond), evicted.Cause)
	if at.Sub(killed) > provenWithin {
		t.Errorf("it was gone only %s after it was killed", at.Sub(killed))
	}
}

// wasAnnounced reads the events of what was held back.
func (s *silent) wasAnnounced(t *testing.T, cut time.Time) {
	t.Helper()
	var held schemas.RegistryHeld
	at := s.last(t, "events.v1.local.atlas.registry.held", &held)
	if at.Before(cut) || held.Silent < len(s.living) {
		t.Errorf("at %s it was announced that %d of %d are silent", at, held.Silent, held.Instances)
	}
	within(t, patience, "it is announced that nothing is held back any more", func() bool {
		return s.count(t, "events.v1.local.atlas.registry.released") >= 1
	})
}

// events reads those stored.
func (s *silent) events(t *testing.T) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(s.truth.conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func (s *silent) count(t *testing.T, subject string) uint64 {
	t.Helper()
	info, err := s.events(t).Info(t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Subjects[subject]
}

// last reads the last event of a subject, and returns when what it tells of
// happened.
func (s *silent) last(t *testing.T, subject string, into any) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.events(t).GetLastMsgForSubject(ctx, subject)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	at, timeErr := time.Parse(time.RFC3339Nano, m.Header.Get("ce-time"))
	if err := json.Unmarshal(m.Data, into); err != nil || timeErr != nil {
		t.Fatalf("%s: %v, %v", subject, err, timeErr)
	}
	return at
}
