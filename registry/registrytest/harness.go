package registrytest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// patience bounds each wait. It is reached only by failures.
const patience = 10 * time.Second

// A Harness is one registry under test. Its realm is empty at first, and the
// test's alone.
type Harness struct {
	Atlas  registry.Atlas
	Beater registry.Beater
	Source registry.Source
	Realm  string
	// PublishDigest has digests published; nil where they come by themselves.
	PublishDigest func()
	// Explainer is tested where it is given.
	Explainer registry.Explainer
	// Settings are tested where they are given.
	Settings registry.SettingsStore
}

// Run runs the suite. start makes a registry for each test, and ends it by
// t.Cleanup.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.run(&suite{T: t, h: start(t)})
		})
	}
	t.Run("settings", func(t *testing.T) { runSettings(t, start) })
}

func runSettings(t *testing.T, start func(t *testing.T) Harness) {
	for _, c := range settingsCases {
		t.Run(c.name, func(t *testing.T) {
			if h := start(t); h.Settings != nil {
				c.run(&suite{T: t, h: h})
			}
		})
	}
}

var cases = []struct {
	name string
	run  func(*suite)
}{
	{"a registration is listed with its defaults", (*suite).registrationIsListed},
	{"an empty incarnation gets a random one", (*suite).incarnationIsRandom},
	{"a new life replaces the old one of the same endpoint", (*suite).newLifeReplaces},
	{"a life that registers again keeps its lease", (*suite).repeatedLife},
	{"an incarnation alone does not move an id", (*suite).incarnationIsPublic},
	{"a life with its token may move", (*suite).lifeMoves},
	{"a token that is too short is refused", (*suite).shortToken},
	{"another endpoint is refused and both are named", (*suite).conflictNamesBoth},
	{"an unknown instance's heartbeat is refused", (*suite).heartbeatOfUnknown},
	{"a heartbeat with a wrong token is refused", (*suite).wrongToken},
	{"late messages of an old life change nothing", (*suite).lateMessages},
	{"deregistering twice is no error", (*suite).deregisterTwice},
	{"heartbeats report the status", (*suite).heartbeatsReport},
	{"a flag may come before the registration", (*suite).flagBefore},
	{"a flag survives a new life and can be taken away", (*suite).flagSurvives},
	{"a weight overrides the registration's", (*suite).weightOverrides},
	{"a drained instance is draining until that is taken away", (*suite).drainDrains},
	{"metadata is set, heard and taken away", (*suite).metaIsHeard},
	{"metadata may come before any instance, and outlives them", (*suite).metaOutlives},
	{"metadata is replaced at the expected revision only", (*suite).metaExpects},
	{"facts tell of registrations, leases and overrides", (*suite).factsTell},
	{"changes come in order, each naming the one before", (*suite).changesChain},
	{"the snapshot equals what the changes built", (*suite).snapshotEqualsChanges},
	{"listening before the snapshot misses nothing", (*suite).listenThenSnapshot},
	{"a listener hears its service only", (*suite).hearsOnlyItsOwn},
	{"a stopped listener hears nothing more", (*suite).stoppedHearsNothing},
	{"concurrent registrars are all present", (*suite).concurrentRegistrars},
	{"invalid input names the field and changes nothing", (*suite).invalidInput},
	{"a digest has the hash of the table", (*suite).digestHash},
	{"a canceled request fails", (*suite).canceled},
}

var settingsCases = []struct {
	name string
	run  func(*suite)
}{
	{"settings are set, read and taken away", (*suite).settingsAreSet},
	{"changes of settings are heard, those of one service", (*suite).settingsAreHeard},
	{"settings have bounds", (*suite).settingsHaveBounds},
}

// A suite is one test's helpers.
type suite struct {
	*testing.T
	h Harness
}

func (s *suite) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) key(service, instance string) registry.Key {
	return registry.Key{Realm: s.h.Realm, Service: service, Instance: instance}
}

// endpoint returns the registration of something that accepts connections for
// as long as the test runs.
func (s *suite) endpoint() registry.Registration {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	var accepts sync.WaitGroup
	accepts.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	})
	s.Cleanup(func() {
		_ = l.Close()
		accepts.Wait()
	})
	return registry.Registration{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func (s *suite) register(k registry.Key, r registry.Registration, incarnation string) registry.Lease {
	s.Helper()
	life := registry.Life{Incarnation: incarnation}
	if incarnation != "" {
		life.Token = "the token of " + incarnation
	}
	lease, err := s.h.Atlas.Register(s.context(), k, r, life)
	if err != nil {
		s.Fatalf("register %s: %v", k, err)
	}
	return lease
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// table returns the snapshot of the realm, as a table.
func (s *suite) table() *registry.Table {
	s.Helper()
	snapshot, err := s.h.Source.Snapshot(s.context(), registry.Interest{Realm: s.h.Realm})
	if err != nil {
		s.Fatalf("snapshot: %v", err)
	}
	return snapshot.Table()
}

func (s *suite) instance(k registry.Key) (registry.Instance, bool) {
	s.Helper()
	return s.table().Service(k.Service).Instance(k.Instance)
}

func (s *suite) listed(k registry.Key) registry.Instance {
	s.Helper()
	in, ok := s.instance(k)
	if !ok {
		s.Fatalf("%s is not listed", k)
	}
	return in
}

func (s *suite) notListed(k registry.Key) {
	s.Helper()
	if in, ok := s.instance(k); ok {
		s.Fatalf("%s is listed: %+v", k, in)
	}
}

// beat returns a heartbeat of a lease.
func beat(l registry.Lease, status registry.Status) registry.Heartbeat {
	return registry.Heartbeat{Incarnation: l.Incarnation, Token: l.Token, Status: status}
}
