package atlas

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/schemas"
)

func TestHowManyGoingAreTooMany(t *testing.T) {
	cases := []struct {
		listed, going int
		want          bool
	}{
		{1, 1, false}, {3, 1, false}, {2, 2, false}, {4, 2, false},
		{3, 3, true}, {4, 3, true}, {19, 3, true}, {20, 3, false}, {20, 4, true},
		{100, 15, false}, {100, 16, true}, {100_000, 15_000, false}, {100_000, 15_001, true},
		{0, 0, false},
	}
	for _, c := range cases {
		if got := (census{c.listed, c.going}).mass(); got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.going, c.listed, got, c.want)
		}
	}
}

func TestHowLongEvictionsAreHeldBack(t *testing.T) {
	const most = time.Hour
	cases := []struct {
		name    string
		count   census
		silence time.Duration
		want    bool
	}{
		{"few go at once", census{100, 15}, 0, false},
		{"many are held", census{100, 20}, time.Minute, true},
		{"but not for ever while most are heard", census{100, 20}, most + 1, false},
		{"half of a realm is held for as long as it takes", census{100, 50}, 24 * most, true},
		{"and all of it", census{3, 3}, 24 * most, true},
	}
	for _, c := range cases {
		if got := c.count.holds(c.silence, most); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// unreachable is an endpoint that takes connections and never answers.
func unreachable(t *testing.T) registry.Registration {
	t.Helper()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(stop); server.Close() })
	return at(server.Listener.Addr())
}

// A silence is a realm of instances that registered and then sent nothing.
type silence struct {
	bus    *realBus
	node   *Node
	keys   []registry.Key
	leases []registry.Lease
}

func newSilence(t *testing.T, count int) *silence {
	t.Helper()
	b := startBus(t, t.TempDir())
	s := &silence{bus: b, node: startNode(t, b, fastTerms)}
	r := unreachable(t)
	for i := range count {
		s.add(t, fmt.Sprintf("silent-%d", i), r)
	}
	return s
}

func (s *silence) add(t *testing.T, name string, r registry.Registration) registry.Key {
	t.Helper()
	k := registry.Key{Realm: "local", Service: "identity", Instance: name}
	lease, err := register(t, s.bus.app, k, r, "life-1")
	if err != nil {
		t.Fatal(err)
	}
	s.keys, s.leases = append(s.keys, k), append(s.leases, lease)
	return k
}

func TestMassLossIsHeldBackAndProvenDeathsAreNot(t *testing.T) {
	s := newSilence(t, 4)
	held := s.bus.feed(t, "feed.v1.local.atlas.registry.held")
	released := s.bus.feed(t, "feed.v1.local.atlas.registry.released")
	var data schemas.RegistryHeld
	if err := json.Unmarshal(held(t), &data); err != nil || data.Instances != 4 || data.Silent < 3 {
		t.Errorf("%+v %v", data, err)
	}
	dead := s.add(t, "dead", nowhere(t))
	s.node.until(t, "proven dead", s.bus, dead, gone)
	status, err := s.node.Status(t.Context())
	if h := status.Realms["local"].Held; err != nil || h == nil || h.Count == 0 || h.Since.IsZero() || len(h.Some) != h.Count {
		t.Errorf("status %+v %v", h, err)
	}
	for _, k := range s.keys[:4] {
		s.node.until(t, "held as suspect", s.bus, k, is(registry.Suspect))
	}
	if _, err := register(t, s.bus.app, s.keys[0], nowhere(t), "life-2"); !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "held back") {
		t.Errorf("the id of one whose eviction is held back, asked for by another: %v", err)
	}
	last := s.keys[3]
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.node.until(t, "the only silent one left goes", s.bus, last, gone)
	}()
	beatUntil(t, done, func() {
		for i := range 3 {
			beat(t, s.bus.app, s.keys[i], s.leases[i], registry.Passing)
		}
	})
	released(t)
	if status, err := s.node.Status(t.Context()); err != nil || status.Realms["local"].Held != nil {
		t.Errorf("still held: %+v %v", status.Realms["local"].Held, err)
	}
}

func TestFewThatFallSilentGo(t *testing.T) {
	s := newSilence(t, 2)
	for _, k := range s.keys {
		s.node.until(t, "gone", s.bus, k, gone)
	}
}

func TestAProbeUnderWayDuringAPauseProvesNoSilence(t *testing.T) {
	s := newSilence(t, 1)
	var l *lease
	var asked moment
	ask := func(f func(*state)) {
		t.Helper()
		if err := s.node.ask(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	ask(func(st *state) {
		l = st.leases.of[s.keys[0]]
		asked = l.seen()
		// As if this process had been stopped while it waited for the answer:
		// the first it does afterwards is to hear that there was none.
		st.grace, st.lastRan = 0, time.Now().Add(-time.Minute)
	})
	ask(func(st *state) {
		st.probed(t.Context(), l, l.record.Load(), asked, silent, "")
		if st.grace == 0 || len(st.losses.condemned) > 0 {
			t.Errorf("grace until %v, %d condemned", st.grace, len(st.losses.condemned))
		}
	})
}

func TestAReconnectedNodeJudgesNobodyForAWhile(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	var before, after moment
	if err := n.ask(t.Context(), func(s *state) { s.grace = 0 }); err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{}, 1)
	remove := b.atlas.OnConnect(func() { connected <- struct{}{} })
	defer remove()
	if err := b.atlas.NATS().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	<-connected
	deadline := time.After(patience)
	for after == before {
		if err := n.ask(t.Context(), func(s *state) { after = s.grace }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("no grace")
		}
	}
}

func TestManyConnectionsThatCloseAtOnceAreProbedAFewAtATime(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{Every: time.Hour, TTL: 3 * time.Hour})
	r := unreachable(t)
	const count = urgentAtOnce + 100
	program := dial(t, bus.Options{URL: b.server.ClientURL()})
	for i := range count {
		k := registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprintf("a-%d", i)}
		if _, err := register(t, program, k, r, "life-1"); err != nil {
			t.Fatal(err)
		}
	}
	dead := registry.Key{Realm: "local", Service: "identity", Instance: "dead"}
	lone := dial(t, bus.Options{URL: b.server.ClientURL()})
	if _, err := register(t, lone, dead, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	program.Close()
	lone.Close()
	n.until(t, "the dead one goes", b, dead, gone)
	if err := n.ask(t.Context(), func(s *state) {
		if s.urgent.running > urgentAtOnce {
			t.Errorf("%d probes at once", s.urgent.running)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
