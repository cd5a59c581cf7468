package atlas

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

var host001 = registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}

// endpoint starts a program that answers its health checks, with the identity
// that it is given or none.
func endpoint(t *testing.T, k registry.Key, incarnation string) registry.Registration {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if incarnation != "" {
			w.Header().Set(instanceHeader, k.String())
			w.Header().Set(incarnationHeader, incarnation)
		}
	}))
	t.Cleanup(server.Close)
	return at(server.Listener.Addr())
}

func at(a net.Addr) registry.Registration {
	addr := a.(*net.TCPAddr)
	return registry.Registration{Host: addr.IP.String(), Port: addr.Port, Health: "/health"}.WithDefaults()
}

// nowhere is an endpoint that refuses connections.
func nowhere(t *testing.T) registry.Registration {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return at(l.Addr())
}

func gone(_ registry.Instance, found bool) bool { return !found }

func is(s registry.Status) func(registry.Instance, bool) bool {
	return func(in registry.Instance, found bool) bool { return found && in.Status == s }
}

func TestAnInstanceRegistersIsListedAndLeaves(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	lease, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	if lease.Token == "" || lease.Incarnation != "life-1" || lease.TTL != DefaultTerms.TTL {
		t.Errorf("lease %+v", lease)
	}
	in, found := n.tableFor(t, "local").Service("identity").Instance("host001-5000")
	if !found || in.Status != registry.Passing || !in.Enabled || in.Revision != lease.Revision.Sequence {
		t.Errorf("listed as %+v, %v", in, found)
	}
	if _, err := ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, host001),
		protocol.DeregisterRequest{Incarnation: lease.Incarnation, Token: lease.Token}); err != nil {
		t.Fatal(err)
	}
	if n.tableFor(t, "local").Len() != 0 {
		t.Error("still listed")
	}
}

func TestALateMessageOfAnOldLifeChangesNothing(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	r := nowhere(t)
	old, _ := register(t, b.app, host001, r, "old")
	if _, err := register(t, b.app, host001, r, "new"); err != nil {
		t.Fatal(err)
	}
	before := n.tableFor(t, "local")
	if err := heartbeat(t, b.app, host001, old, registry.Critical); !errors.Is(err, registry.ErrStale) {
		t.Errorf("heartbeat: %v", err)
	}
	_, err := ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, host001),
		protocol.DeregisterRequest{Incarnation: old.Incarnation, Token: old.Token})
	if !errors.Is(err, registry.ErrStale) {
		t.Errorf("deregistration: %v", err)
	}
	forged := registry.Lease{Incarnation: "new", Token: "guessed"}
	if err := heartbeat(t, b.app, host001, forged, registry.Critical); !errors.Is(err, registry.ErrStale) {
		t.Errorf("forged heartbeat: %v", err)
	}
	if after := n.tableFor(t, "local"); after.Hash() != before.Hash() {
		t.Error("something changed")
	}
}

func TestASecondProgramUnderTheSameIDIsRefusedWhileTheFirstAnswers(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	first, second := endpoint(t, host001, ""), nowhere(t)
	if _, err := register(t, b.app, host001, first, "a"); err != nil {
		t.Fatal(err)
	}
	_, err := register(t, b.app, host001, second, "b")
	if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), first.Endpoint()) || !strings.Contains(err.Error(), second.Endpoint()) {
		t.Errorf("got %v", err)
	}
	// The other way round the first does not answer, so the second may have it.
	other := registry.Key{Realm: "local", Service: "identity", Instance: "other"}
	if _, err := register(t, b.app, other, second, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := register(t, b.app, other, first, "b"); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestSilenceGivesAnIDAwayOnlyOnceTheLeaseIsOver(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, fastTerms)
	first, second := unreachable(t), endpoint(t, host001, "b")
	if _, err := register(t, b.app, host001, first, "a"); err != nil {
		t.Fatal(err)
	}
	_, err := register(t, b.app, host001, second, "b")
	if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "whose lease is not over") {
		t.Fatalf("while the lease holds: %v", err)
	}
	eventually(t, "the other has it once the lease is over", func() bool {
		_, err := register(t, b.app, host001, second, "b")
		return err == nil
	})
	n.until(t, "the other is listed", b, host001, func(in registry.Instance, found bool) bool { return found && in.Port == second.Port })
}

// An unheard bucket carries out the first write that it is asked for, and does
// not say so.
type unheard struct {
	jetstream.JetStream
	once  sync.Once
	after func() // what happens before the write is tried again
}

func (u *unheard) PublishMsgAsync(m *nats.Msg, opts ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	ack, err := u.JetStream.PublishMsgAsync(m, opts...)
	u.once.Do(func() {
		<-ack.Ok()
		u.after()
		ack, err = nil, errors.New("no answer came")
	})
	return ack, err
}

func TestADeregistrationThatWasDoneUnansweredIsNotRefused(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	lease, err := register(t, b.app, host001, nowhere(t), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	next := newRecord(protocol.RegisterRequest{Registration: nowhere(t)}, registry.Lease{Incarnation: "life-2", Token: strings.Repeat("2", 16)}, requester{}, time.Now())
	n.store.writer.js = &unheard{JetStream: n.store.js, after: func() {
		if _, err := bucketOf(t, b).Put(t.Context(), bucketKey(host001, aspectRecord), next.encode()); err != nil {
			t.Error(err)
		}
	}}
	if _, err := ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, host001),
		protocol.DeregisterRequest{Incarnation: lease.Incarnation, Token: lease.Token}); err != nil {
		t.Errorf("it was refused: %v", err)
	}
	n.until(t, "the next life is listed", b, host001, func(in registry.Instance, found bool) bool { return found && in.Incarnation == "life-2" })
	// Without such a doubt it is.
	_, err = ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, host001),
		protocol.DeregisterRequest{Incarnation: lease.Incarnation, Token: lease.Token})
	if !errors.Is(err, registry.ErrStale) {
		t.Errorf("the old life ends the new one: %v", err)
	}
}

func TestALeaseThatEnds(t *testing.T) {
	cases := []struct {
		name     string
		endpoint func(*testing.T) registry.Registration
		want     func(registry.Instance, bool) bool
	}{
		{"and nobody answers: evicted", nowhere, gone},
		{"and somebody answers without identity: suspect",
			func(t *testing.T) registry.Registration { return endpoint(t, host001, "") }, is(registry.Suspect)},
		{"and another life answers: evicted",
			func(t *testing.T) registry.Registration { return endpoint(t, host001, "another") }, gone},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := startBus(t, t.TempDir())
			n := startNode(t, b, fastTerms)
			lease, err := register(t, b.app, host001, c.endpoint(t), "life-1")
			if err != nil {
				t.Fatal(err)
			}
			n.until(t, c.name, b, host001, c.want)
			if in, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance); found && in.Status == registry.Suspect {
				if err := heartbeat(t, b.app, host001, lease, registry.Passing); err != nil {
					t.Fatal(err)
				}
				n.until(t, "trusted again", b, host001, is(registry.Passing))
			}
		})
	}
}

func TestAnInstanceThatAnswersAsItselfStays(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, fastTerms)
	r := endpoint(t, host001, "life-1")
	if _, err := register(t, b.app, host001, r, "life-1"); err != nil {
		t.Fatal(err)
	}
	// Another one without life ends after the first has been probed.
	other := registry.Key{Realm: "local", Service: "identity", Instance: "other"}
	if _, err := register(t, b.app, other, nowhere(t), "x"); err != nil {
		t.Fatal(err)
	}
	n.until(t, "the dead one goes", b, other, gone)
	if in, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance); !found || in.Status != registry.Passing {
		t.Errorf("got %+v %v", in, found)
	}
}

func TestAClosedConnectionIsProbedAtOnce(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	program := dial(t, bus.Options{URL: b.server.ClientURL()})
	if _, err := register(t, program, host001, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	program.Close()
	n.until(t, "evicted long before its lease ends", b, host001, gone)
}

func TestFlagsOutliveRegistrationsAndMayComeFirst(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	off := protocol.FlagRequest{Flag: &registry.Flag{Owner: "ann", Reason: "bad disk"}}
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001), off); err != nil {
		t.Fatal(err)
	}
	for _, life := range []string{"first", "second"} {
		if _, err := register(t, b.app, host001, nowhere(t), life); err != nil {
			t.Fatal(err)
		}
		in, _ := n.tableFor(t, "local").Service("identity").Instance(host001.Instance)
		if in.Enabled || in.Reason != "bad disk" || in.Owner != "ann" {
			t.Errorf("%s: %+v", life, in)
		}
	}
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001), protocol.FlagRequest{}); err != nil {
		t.Fatal(err)
	}
	if in, _ := n.tableFor(t, "local").Service("identity").Instance(host001.Instance); !in.Enabled {
		t.Errorf("%+v", in)
	}
}

func TestHandEditsCountAndRubbishDoesNot(t *testing.T) {
	dir := t.TempDir()
	b := startBus(t, dir)
	n := startNode(t, b, Terms{})
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	kv := bucketOf(t, b)
	put := func(suffix, value string) {
		t.Helper()
		if _, err := kv.PutString(t.Context(), "hosts.local.identity.host001-5000"+suffix, value); err != nil {
			t.Fatal(err)
		}
	}
	put(".enabled", "false")
	n.until(t, "disabled by hand", b, host001, func(in registry.Instance, found bool) bool { return found && !in.Enabled })
	put(".enabled", "maybe")
	put("", `{"host":"10.0.0.7","port":70000}`)
	put(".weight", "7")
	n.until(t, "weight by hand", b, host001, func(in registry.Instance, found bool) bool { return in.Weight == 7 })
	check := func(n *Node) {
		t.Helper()
		in, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance)
		if !found || in.Enabled || in.Host != "127.0.0.1" {
			t.Errorf("rubbish took effect: %+v", in)
		}
		status, err := n.Status(t.Context())
		if err != nil || len(status.Quarantined) != 2 || !strings.Contains(status.Quarantined["hosts.local.identity.host001-5000"], "port") {
			t.Errorf("quarantine %v, %v", status.Quarantined, err)
		}
	}
	check(n)
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(startNode(t, b, Terms{}))
}

func bucketOf(t *testing.T, b *realBus) jetstream.KeyValue {
	t.Helper()
	js := b.streams(t)
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func TestABucketDeletedByHandIsRebuiltFromMemory(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	lease, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001),
		protocol.FlagRequest{Flag: &registry.Flag{Reason: "why"}}); err != nil {
		t.Fatal(err)
	}
	js := b.streams(t)
	if err := js.DeleteKeyValue(t.Context(), "atlas"); err != nil {
		t.Fatal(err)
	}
	rebuilt := b.feed(t, "feed.v1.local.atlas.registry.rebuilt")
	rebuilt(t)
	in, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance)
	if !found || in.Enabled || in.Reason != "why" {
		t.Errorf("after the rebuild: %+v %v", in, found)
	}
	if n.tableFor(t, "local").Revision.Epoch == lease.Revision.Epoch {
		t.Error("the epoch is the old one")
	}
	if err := heartbeat(t, b.app, host001, lease, registry.Warning); err != nil {
		t.Errorf("a heartbeat of the same life: %v", err)
	}
	// Nobody says again that it is disabled, if this node is killed meanwhile.
	if record, flag := b.written(t, "hosts."+host001.Dotted()), b.written(t, "hosts."+host001.Dotted()+".enabled"); flag > record {
		t.Errorf("the flag was restored after the registration: %d, %d", flag, record)
	}
}

// written returns when a key of the bucket was written first.
func (b *realBus) written(t *testing.T, key string) (revision uint64) {
	t.Helper()
	js, err := jetstream.New(b.atlas.NATS())
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	history, err := kv.History(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return history[0].Revision()
}

// heard waits until the server knows what the program has subscribed to: what
// is published on another connection could be quicker.
func (b *realBus) heard(t *testing.T) {
	t.Helper()
	if err := b.app.NATS().FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// feed listens for one kind of event; the result waits for the next one.
func (b *realBus) feed(t *testing.T, subject string) func(*testing.T) []byte {
	t.Helper()
	sub, err := b.app.NATS().SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	b.heard(t)
	return func(t *testing.T) []byte {
		t.Helper()
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		return m.Data
	}
}

func TestBadInputNamesItsFieldAndChangesNothing(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	long := strings.Repeat("a", 300)
	cases := []struct {
		name, subject, body, field string
	}{
		{"no host", "register.local.identity.a", `{"registration":{"port":1}}`, "host"},
		{"port 0", "register.local.identity.a", `{"registration":{"host":"127.0.0.1"}}`, "port"},
		{"port 70000", "register.local.identity.a", `{"registration":{"host":"127.0.0.1","port":70000}}`, "port"},
		{"port text", "register.local.identity.a", `{"registration":{"host":"127.0.0.1","port":"80"}}`, "registration.port"},
		{"metadata address", "register.local.identity.a", `{"registration":{"host":"169.254.169.254","port":80}}`, "host"},
		{"invalid JSON", "register.local.identity.a", `{`, "body"},
		{"empty", "register.local.identity.a", ``, "body"},
		{"large", "register.local.identity.a", strings.Repeat(" ", 40<<10), "body"},
		{"upper case", "register.local.Identity.a", `{}`, "service"},
		{"long", "register.local.identity." + long, `{}`, "instance"},
		{"dot", "register.local.identity.a.b", `{}`, "subject"},
		{"status", "heartbeat.local.identity.a", `{"status":"fine"}`, "status"},
		{"past", "flag.local.identity.a", `{"flag":{"enabled":false,"until":"2001-01-01T00:00:00Z"}}`, "until"},
		{"weight", "weight.local.identity.a", `{"weight":{"weight":0}}`, "weight"},
		{"drain", "drain.local.identity.a", `{"drain":7}`, "drain"},
		{"snapshot", "snapshot.UPPER", ``, "realm"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := askRaw[struct{}](t, b.app, "atlas.v1."+c.subject, []byte(c.body))
			var fields registry.FieldErrors
			if !errors.As(err, &fields) || fields[0].Field != c.field {
				t.Errorf("got %v (%+v), want a problem of %s", err, fields, c.field)
			}
		})
	}
	if status, _ := n.Status(t.Context()); len(status.Realms) != 0 {
		t.Errorf("something changed: %+v", status)
	}
}

func TestEndpointsAreANATSMicroService(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	info, err := b.atlas.NATS().Request("$SRV.INFO.atlas", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(info.Data), micro.InfoResponseType) || !strings.Contains(string(info.Data), "atlas.v1.register.") {
		t.Errorf("info %s", info.Data)
	}
}

func TestARequestFromTheControlPlanesOwnAccountIsRefused(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	_, err := register(t, b.atlas, host001, nowhere(t), "x")
	var fields registry.FieldErrors
	if !errors.As(err, &fields) || fields[0].Field != "account" {
		t.Errorf("got %v", err)
	}
}

// dyingSlowly answers its first probe and then refuses, as a program does that
// is being killed.
func dyingSlowly(t *testing.T) registry.Registration {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = server.Listener.Close()
	}))
	t.Cleanup(server.Close)
	return at(server.Listener.Addr())
}

func TestAnInstanceThatAnswersWhileItDiesIsLookedAtAgain(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{Every: time.Hour, TTL: 3 * time.Hour})
	program := dial(t, bus.Options{URL: b.server.ClientURL()})
	if _, err := register(t, program, host001, dyingSlowly(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	program.Close()
	n.until(t, "evicted though it answered once", b, host001, gone)
}

func TestMuchRubbishDoesNotPushTheGoodValueOut(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	kv := bucketOf(t, b)
	recovered := b.feed(t, "feed.v1.local.identity.entry.recovered")
	for _, value := range []string{"false", "no", "nein", "non", "nope", "off", "0"} {
		if _, err := kv.PutString(t.Context(), bucketKey(host001, aspectFlag), value); err != nil {
			t.Fatal(err)
		}
	}
	recovered(t)
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, b, Terms{})
	if in, found := n.tableFor(t, "local").Service("identity").Instance(host001.Instance); !found || in.Enabled {
		t.Errorf("after a restart: %+v", in)
	}
}

func TestABucketCannotBePurged(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	js := b.streams(t)
	stream, err := js.Stream(t.Context(), bucketStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err == nil {
		t.Error("it was purged")
	}
}

func TestAFlagWithoutAWordIsRefused(t *testing.T) {
	b := startBus(t, t.TempDir())
	startNode(t, b, Terms{})
	_, err := askRaw[struct{}](t, b.app, protocol.Subject(protocol.Flag, host001), []byte(`{"flag":{"reason":"x"}}`))
	var fields registry.FieldErrors
	if !errors.As(err, &fields) || fields[0].Field != "flag.enabled" {
		t.Errorf("got %v", err)
	}
}
