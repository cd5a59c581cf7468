package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
)

// realm is one provisioned server with a connection to each account.
type realm struct {
	url        string
	atlas, app *nats.Conn
	js         jetstream.JetStream
}

// TestAccounts holds the embedded server and one that reads the deployment's
// file, as it stands, to the same behaviour.
func TestAccounts(t *testing.T) {
	servers := map[string]func(*testing.T) realm{"embedded": embeddedRealm, "deployment": deployedRealm}
	behaviours := map[string]func(*testing.T, realm){
		"request tells who asks":               requestTellsWhoAsks,
		"requester cannot lie about itself":    requesterCannotLie,
		"answer in many parts":                 answerInManyParts,
		"events are acknowledged and fed back": eventsAreFedBack,
		"routes and digests reach clients":     routesReachClients,
		"discovery stays in the control plane": discoveryStaysInside,
		"closed connection is advised":         closedConnectionIsAdvised,
		"clients have no JetStream":            clientsHaveNoJetStream,
		"clients publish no answers":           clientsPublishNoAnswers,
		"clients hear no requests":             clientsHearNoRequests,
		"reply subjects write nothing":         replySubjectsWriteNothing,
		"reflected answers are bare":           reflectedAnswersAreBare,
		"headers of a client do no harm":       headersDoNoHarm,
	}
	for name, newRealm := range servers {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t)
			for behaviour, check := range behaviours {
				t.Run(behaviour, func(t *testing.T) { check(t, r) })
			}
		})
	}
}

func embeddedRealm(t *testing.T) realm {
	srv := start(t, embedded.Options{})
	atlas, js := provisioned(t, srv)
	return realm{url: srv.ClientURL(), atlas: atlas, app: asApp(t, srv), js: js}
}

func deployedRealm(t *testing.T) realm {
	t.Setenv("FAIRLEAD_ATLAS_PASSWORD", "atlas-secret")
	t.Setenv("FAIRLEAD_SYS_PASSWORD", "sys-secret")
	t.Setenv("FAIRLEAD_APP_PASSWORD", "app-secret")
	opts, err := server.ProcessConfigFile(filepath.Join("..", "..", "deployments", "nats", "fairlead.conf"))
	if err != nil {
		t.Fatal(err)
	}
	// Only where it listens and stores is the test's; all else is the file's.
	opts.Port, opts.StoreDir, opts.NoSigs, opts.NoLog = server.RANDOM_PORT, t.TempDir(), true, true
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	atlas := connect(t, bus.Options{URL: ns.ClientURL(), User: "atlas", Password: "atlas-secret"})
	js, err := jetstream.New(atlas)
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	return realm{url: ns.ClientURL(), atlas: atlas, app: connect(t, bus.Options{URL: ns.ClientURL()}), js: js}
}

// requester is what Nats-Request-Info tells of whoever asked.
type requester struct {
	Account string `json:"acc"`
	User    string `json:"user"`
	ID      uint64 `json:"id"`
	Server  string `json:"server"`
}

func requestTellsWhoAsks(t *testing.T, r realm) {
	for _, verb := range requestVerbs {
		subject := "atlas.v1." + verb + ".local.identity.a"
		respond(t, r, subject, func(msg *nats.Msg) []byte { return []byte(msg.Header.Get("Nats-Request-Info")) })
		reply, err := r.app.Request(subject, nil, patience)
		if err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
		var who requester
		if err := json.Unmarshal(reply.Data, &who); err != nil {
			t.Fatalf("%s: %q: %v", verb, reply.Data, err)
		}
		id, _ := r.app.GetClientID()
		if want := (requester{"APP", "app", id, r.app.ConnectedServerName()}); who != want {
			t.Errorf("%s: asked by %+v, expected %+v", verb, who, want)
		}
	}
}

// The server's word replaces what the client wrote, however often it did. A
// duplicate in another case stays, which is why readers take the exact name.
func requesterCannotLie(t *testing.T, r realm) {
	const header = "Nats-Request-Info"
	subject := "atlas.v1.register.local.identity.liar"
	respond(t, r, subject, func(msg *nats.Msg) []byte { return []byte(strings.Join(msg.Header[header], "\n")) })
	msg := nats.NewMsg(subject)
	msg.Header[header] = []string{`{"acc":"ATLAS"}`, `{"acc":"SYS"}`}
	msg.Header["nats-request-info"] = []string{`{"acc":"ATLAS"}`}
	reply, err := r.app.RequestMsg(msg, patience)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(reply.Data), "\n") {
		var who requester
		if err := json.Unmarshal([]byte(line), &who); err != nil || who.Account != "APP" {
			t.Errorf("value %d: %s (%v), expected account APP", i, line, err)
		}
	}
}

var requestVerbs = []string{"register", "heartbeat", "deregister", "flag", "drain", "weight", "meta", "explain", "settings", "configure", "snapshot"}

// respond answers in the control plane until the test ends.
func respond(t *testing.T, r realm, subject string, answer func(*nats.Msg) []byte) {
	t.Helper()
	sub, err := r.atlas.Subscribe(subject, func(msg *nats.Msg) { _ = msg.Respond(answer(msg)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	flush(t, r.atlas)
}

func answerInManyParts(t *testing.T, r realm) {
	const parts = 50
	sub, err := r.atlas.Subscribe("atlas.v1.snapshot.local", func(msg *nats.Msg) {
		for i := range parts {
			_ = msg.Respond([]byte(strconv.Itoa(i)))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	flush(t, r.atlas)

	inbox := r.app.NewInbox()
	answers := listen(t, r.app, inbox)
	defer answers.Unsubscribe()
	if err := r.app.PublishRequest("atlas.v1.snapshot.local", inbox, nil); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		if got := string(next(t, answers).Data); got != strconv.Itoa(i) {
			t.Fatalf("part %d: got %q", i, got)
		}
	}
}

func eventsAreFedBack(t *testing.T, r realm) {
	feed := listen(t, r.app, "feed.v1.local.identity.>")
	defer feed.Unsubscribe()
	conn, err := bus.Connect(t.Context(), bus.Options{URL: r.url, FailFast: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ack, err := conn.Publish(t.Context(), "events.v1.local.identity.user.created", newEvent("fed-back"))
	if err != nil || ack.Stream != "EVENTS" {
		t.Fatalf("ack %+v, %v", ack, err)
	}
	msg := next(t, feed)
	if msg.Subject != "feed.v1.local.identity.user.created" || msg.Header.Get("ce-id") != "fed-back" {
		t.Errorf("fed back on %s: %v", msg.Subject, msg.Header)
	}
	if msg.Header.Get("Nats-Request-Info") != "" {
		t.Error("the feed tells everybody who published")
	}
	platformsEventsAreNotForged(t, conn)
}

func platformsEventsAreNotForged(t *testing.T, conn *bus.Conn) {
	for _, kind := range []string{"instance.evicted", "service.updated", "entry.recovered", "registry.rebuilt", "deploy.started"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if ack, err := conn.Publish(ctx, "events.v1.local.identity."+kind, newEvent("forged")); err == nil {
			t.Errorf("%s was taken: %+v", kind, ack)
		}
		cancel()
	}
}

func newEvent(id string) event.Event {
	e := event.New()
	e.SetID(id)
	e.SetSource("/local/identity")
	e.SetType("dev.fairlead.test.v1")
	return e
}

func routesReachClients(t *testing.T, r realm) {
	for _, subject := range []string{"atlas.v1.routes.local.identity", "atlas.v1.digest.local", "atlas.v1.digest.local.identity", "atlas.v1.setting.local.identity.GREETING"} {
		sub := listen(t, r.app, subject)
		if err := r.atlas.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		next(t, sub)
		_ = sub.Unsubscribe()
	}
}

func discoveryStaysInside(t *testing.T, r realm) {
	service, err := micro.AddService(r.atlas, micro.Config{Name: "atlas", Version: "0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Stop()
	flush(t, r.atlas)
	reply, err := r.atlas.Request("$SRV.INFO.atlas", nil, patience)
	if err != nil || !strings.Contains(string(reply.Data), `"name":"atlas"`) {
		t.Errorf("in the control plane: %v, %v", reply, err)
	}
	if _, err := r.app.Request("$SRV.INFO.atlas", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("as a client: got %v, expected no responders", err)
	}
}

func closedConnectionIsAdvised(t *testing.T, r realm) {
	advisories := listen(t, r.atlas, "$SYS.ACCOUNT.APP.DISCONNECT")
	defer advisories.Unsubscribe()
	victim := connect(t, bus.Options{URL: r.url})
	id, _ := victim.GetClientID()
	name := victim.ConnectedServerName()
	began := time.Now()
	victim.Close()
	for {
		var advisory struct {
			Server struct{ Name string } `json:"server"`
			Client struct{ ID uint64 }   `json:"client"`
		}
		if err := json.Unmarshal(next(t, advisories).Data, &advisory); err != nil {
			t.Fatal(err)
		}
		if advisory.Client.ID == id && advisory.Server.Name == name {
			t.Logf("advised after %v", time.Since(began))
			return
		}
	}
}

func clientsHaveNoJetStream(t *testing.T, r realm) {
	for _, subject := range []string{"$JS.API.DIRECT.GET.KV_atlas", "$KV.atlas.hosts.local.identity.a", "atlas.internal.kv.x"} {
		if _, err := r.app.Request(subject, []byte("{}"), patience); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: got %v, expected no responders", subject, err)
		}
	}
	// These the server answers in every account, about that account.
	for _, subject := range []string{"$JS.API.INFO", "$JS.API.STREAM.INFO.KV_atlas", "$JS.API.STREAM.DELETE.KV_atlas"} {
		reply, err := r.app.Request(subject, nil, patience)
		if err != nil || !strings.Contains(string(reply.Data), "JetStream not enabled for account") {
			t.Errorf("%s: %v, %v, expected it to be off for the account", subject, reply, err)
		}
	}
	assertEmpty(t, r)
}

func assertEmpty(t *testing.T, r realm) {
	t.Helper()
	stream, err := r.js.Stream(t.Context(), "KV_atlas")
	if err != nil {
		t.Fatal(err)
	}
	if last := stream.CachedInfo().State.LastSeq; last != 0 {
		t.Errorf("the registry's bucket was written %d times, expected never", last)
	}
}

func clientsPublishNoAnswers(t *testing.T, r realm) {
	for _, subject := range []string{"atlas.v1.routes.local.identity", "atlas.v1.digest.local", "atlas.v1.setting.local.identity.X", "feed.v1.local.identity.x"} {
		app := connect(t, bus.Options{URL: r.url})
		violations := make(chan error, 1)
		app.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err })
		heard := listen(t, r.app, subject)
		if err := app.Publish(subject, []byte("forged")); err != nil {
			t.Fatal(err)
		}
		flush(t, app)
		select {
		case err := <-violations:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", subject, err)
			}
		case <-time.After(patience):
			t.Errorf("%s: publishing was permitted", subject)
		}
		if n, _, _ := heard.Pending(); n != 0 {
			t.Errorf("%s: a forged message was heard", subject)
		}
		_ = heard.Unsubscribe()
	}
}

// Requests carry lease tokens: a listener of ">" must not get them either.
func clientsHearNoRequests(t *testing.T, r realm) {
	everything := listen(t, r.app, ">")
	defer everything.Unsubscribe()
	other := connect(t, bus.Options{URL: r.url})
	for _, verb := range requestVerbs {
		if err := other.Publish("atlas.v1."+verb+".local.identity.a", []byte("token")); err != nil {
			t.Fatal(err)
		}
		assertRefused(t, r, "atlas.v1."+verb+".>")
	}
	assertRefused(t, r, "events.v1.>")
	if err := other.Publish("end.of.test", nil); err != nil {
		t.Fatal(err)
	}
	for {
		msg := next(t, everything)
		if msg.Subject == "end.of.test" {
			return
		}
		if strings.HasPrefix(msg.Subject, "atlas.v1.") && string(msg.Data) == "token" {
			t.Errorf("a client heard another's %s", msg.Subject)
		}
	}
}

func assertRefused(t *testing.T, r realm, subject string) {
	t.Helper()
	nc, err := nats.Connect(r.url, nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.NextMsg(patience); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("subscribe %s: got %v, expected a permission violation", subject, err)
	}
}

// Every request subject, each with reply subjects that would do something in
// the control plane's account.
func replySubjectsWriteNothing(t *testing.T, r realm) {
	inside := listen(t, r.atlas, "atlas.v1.>")
	defer inside.Unsubscribe()
	for _, verb := range requestVerbs {
		subject := "atlas.v1." + verb + ".local.trick"
		respond(t, r, subject, func(*nats.Msg) []byte { return []byte("answer") })
		for _, reply := range replyTricks {
			if err := r.app.PublishRequest(subject, reply, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.app.Request(subject, nil, patience); err != nil { // all before it was answered
			t.Fatalf("%s: %v", subject, err)
		}
	}
	trickEventAck(t, r)
	assertEmpty(t, r)
	for n, _, _ := inside.Pending(); n > 0; n-- {
		if msg := next(t, inside); string(msg.Data) == "answer" && !strings.HasSuffix(msg.Subject, "trick") {
			t.Errorf("an answer became a message on %s of the control plane", msg.Subject)
		}
	}
}

var replyTricks = []string{
	"$KV.atlas.hosts.local.identity.a", "$JS.API.STREAM.DELETE.KV_atlas", "$JS.API.STREAM.PURGE.KV_atlas",
	"atlas.internal.kv.x", "atlas.v1.flag.local.reflected", "_R_.x",
}

func trickEventAck(t *testing.T, r realm) {
	for i, reply := range replyTricks {
		if err := r.app.PublishRequest(fmt.Sprintf("events.v1.local.trick.t%d", i), reply, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.app.Request("events.v1.local.trick.last", []byte("{}"), patience); err != nil {
		t.Fatal(err)
	}
}

// What accounts cannot stop: a client may have the answer to its request
// delivered, within its own account, on a subject that it may not publish to.
// Such an answer has no headers, by which listeners tell it from a real change.
func reflectedAnswersAreBare(t *testing.T, r realm) {
	respond(t, r, "atlas.v1.register.local.mirror", func(*nats.Msg) []byte { return []byte("answer") })
	asker := connect(t, bus.Options{URL: r.url})
	for _, reply := range []string{"atlas.v1.routes.local.identity", "atlas.v1.digest.local", "atlas.v1.setting.local.identity.X", "feed.v1.local.identity.x"} {
		sub := listen(t, r.app, reply)
		msg := nats.NewMsg("atlas.v1.register.local.mirror")
		msg.Reply = reply
		msg.Header.Set("Nats-Stream", "EVENTS")
		if err := asker.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
		if got := next(t, sub); len(got.Header) != 0 {
			t.Errorf("%s: reflected with headers %v", reply, got.Header)
		}
		_ = sub.Unsubscribe()
	}
}

func headersDoNoHarm(t *testing.T, r realm) {
	before := eventCount(t, r)
	if _, err := r.app.Request("events.v1.local.kept.x", []byte("{}"), patience); err != nil {
		t.Fatal(err)
	}
	for header, value := range map[string]string{"Nats-Rollup": "all", "Nats-TTL": "1s", "Nats-Batch-Id": "b"} {
		msg := nats.NewMsg("events.v1.local.harm.x")
		msg.Header.Set(header, value)
		reply, err := r.app.RequestMsg(msg, patience)
		if err != nil || !strings.Contains(string(reply.Data), `"error"`) {
			t.Errorf("%s: %v, %v, expected a refusal", header, reply, err)
		}
	}
	if after := eventCount(t, r); after != before+1 {
		t.Errorf("%d events became %d, expected one more", before, after)
	}
}

func eventCount(t *testing.T, r realm) uint64 {
	t.Helper()
	stream, err := r.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

// The deployment's file must not become a second description.
func TestDeploymentIncludesTheSameText(t *testing.T) {
	for _, name := range []string{"accounts.conf", "users.conf"} {
		linked, err := os.ReadFile(filepath.Join("..", "..", "deployments", "nats", name))
		if err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(linked) != string(own) {
			t.Errorf("deployments/nats/%s differs from bus/embedded/%s", name, name)
		}
	}
}
