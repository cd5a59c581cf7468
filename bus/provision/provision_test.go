package provision_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
)

// sourcing is the server's own: a stream that takes from another one waits for
// an answer to its first request, and goes on waiting for a while after the
// server has stopped.
const sourcing = "github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(sourcing)) }

var quiet = slog.New(slog.DiscardHandler)

func newJetStream(t *testing.T) (*bus.Conn, jetstream.JetStream) {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	conn, err := bus.Connect(t.Context(), srv.AtlasOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		t.Fatal(err)
	}
	return conn, js
}

// ensure returns what was logged.
func ensure(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var log bytes.Buffer
	err := provision.Ensure(t.Context(), js, provision.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return log.String()
}

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().Config
}

func TestEnsureAgainChangesNothing(t *testing.T) {
	_, js := newJetStream(t)
	if log := ensure(t, js); log != "" {
		t.Errorf("first time: %s", log)
	}
	if log := ensure(t, js); log != "" {
		t.Errorf("second time: %s", log)
	}
}

func TestEnsureFromSeveralNodesAtOnce(t *testing.T) {
	_, js := newJetStream(t)
	var nodes sync.WaitGroup
	for range 5 {
		nodes.Go(func() {
			if err := provision.Ensure(t.Context(), js, provision.Options{Logger: quiet}); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
}

func TestDriftIsCorrected(t *testing.T) {
	cases := map[string]struct {
		stream string
		drift  func(*jetstream.StreamConfig)
		field  string // in the log
		check  func(jetstream.StreamConfig) bool
	}{
		"history": {"KV_atlas", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, "max_msgs_per_subject",
			func(c jetstream.StreamConfig) bool { return c.MaxMsgsPerSubject == 5 }},
		"republish": {"KV_atlas", func(c *jetstream.StreamConfig) { c.RePublish = nil }, "republish",
			func(c jetstream.StreamConfig) bool { return c.RePublish != nil }},
		"atomic batches": {"KV_atlas", func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }, "allow_atomic",
			func(c jetstream.StreamConfig) bool { return c.AllowAtomicPublish }},
		"rollup": {"KV_settings", func(c *jetstream.StreamConfig) { c.AllowRollup = false }, "allow_rollup_hdrs",
			func(c jetstream.StreamConfig) bool { return c.AllowRollup }},
		"heartbeats kept for ever": {"KV_heartbeats", func(c *jetstream.StreamConfig) { c.MaxAge = 0 }, "max_age",
			func(c jetstream.StreamConfig) bool { return c.MaxAge == time.Minute }},
		"byte cap": {"EVENTS", func(c *jetstream.StreamConfig) { c.MaxBytes = -1 }, "max_bytes",
			func(c jetstream.StreamConfig) bool { return c.MaxBytes == 256<<20 }},
		"deploys not for good": {"DEPLOYS", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "max_age",
			func(c jetstream.StreamConfig) bool { return c.MaxAge == 0 }},
	}
	_, js := newJetStream(t)
	ensure(t, js)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			drifted := config(t, js, test.stream)
			test.drift(&drifted)
			if _, err := js.UpdateStream(t.Context(), drifted); err != nil {
				t.Fatal(err)
			}
			if log := ensure(t, js); !strings.Contains(log, test.field) || !strings.Contains(log, test.stream) {
				t.Errorf("logged %q, expected it to name %s of %s", log, test.field, test.stream)
			}
			if !test.check(config(t, js, test.stream)) {
				t.Error("not corrected")
			}
		})
	}
}

// A bucket update by another program would turn off what buckets do not know.
// The registry's is refused, because nobody may allow its purge again.
func TestBucketUpdateBySomebodyElseIsRefused(t *testing.T) {
	_, js := newJetStream(t)
	ensure(t, js)
	_, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "atlas", History: 5})
	if err == nil {
		t.Error("it was taken")
	}
	got := config(t, js, "KV_atlas")
	if !got.AllowAtomicPublish || got.RePublish == nil || got.AllowRollup || !got.DenyPurge {
		t.Errorf("changed: %+v", got)
	}
}

func TestWhatTheOperatorDecidesStays(t *testing.T) {
	_, js := newJetStream(t)
	ensure(t, js)
	theirs := config(t, js, "EVENTS")
	theirs.Metadata["team"] = "platform"
	theirs.Compression = jetstream.S2Compression
	if _, err := js.UpdateStream(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if log := ensure(t, js); log != "" {
		t.Errorf("corrected %s", log)
	}
}

// No server takes it back, so whoever starts beside a later version has to live
// with it.
func TestEndsOfMessagesStayAllowed(t *testing.T) {
	_, js := newJetStream(t)
	ensure(t, js)
	theirs := config(t, js, "KV_atlas")
	theirs.AllowMsgTTL = true
	if _, err := js.UpdateStream(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if log := ensure(t, js); log != "" || !config(t, js, "KV_atlas").AllowMsgTTL {
		t.Errorf("corrected %s", log)
	}
}

func TestWhatCannotBeChangedIsAnError(t *testing.T) {
	_, js := newJetStream(t)
	_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "atlas", Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	err = provision.Ensure(t.Context(), js, provision.Options{Logger: quiet})
	if !errors.Is(err, provision.ErrImmutable) || !strings.Contains(err.Error(), "KV_atlas") || !strings.Contains(err.Error(), "storage") {
		t.Errorf("got %v, expected ErrImmutable naming storage of KV_atlas", err)
	}
}

func TestBucketsWorkAsBuckets(t *testing.T) {
	_, js := newJetStream(t)
	ensure(t, js)
	for _, name := range []string{provision.RegistryBucket, provision.HeartbeatsBucket, provision.SettingsBucket} {
		kv, err := js.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := kv.Create(t.Context(), "local.identity.a", []byte("1"))
		if err != nil {
			t.Fatalf("%s: create: %v", name, err)
		}
		if _, err := kv.Update(t.Context(), "local.identity.a", []byte("2"), revision); err != nil {
			t.Fatalf("%s: update: %v", name, err)
		}
		if err := kv.Delete(t.Context(), "local.identity.a"); err != nil {
			t.Fatalf("%s: delete: %v", name, err)
		}
	}
}

func TestChangesOfTheRegistryAreRepublished(t *testing.T) {
	conn, js := newJetStream(t)
	ensure(t, js)
	changes, err := conn.NATS().SubscribeSync(provision.RegistryChanges + ".>")
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), provision.RegistryBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a", "x"); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "hosts.local.identity.a"); err != nil {
		t.Fatal(err)
	}
	put, del := nextChange(t, changes), nextChange(t, changes)
	if put.Subject != "atlas.internal.kv.hosts.local.identity.a" || string(put.Data) != "x" || put.Header.Get("Nats-Sequence") != "1" {
		t.Errorf("put: %s %q %v", put.Subject, put.Data, put.Header)
	}
	if del.Header.Get("KV-Operation") != "DEL" || del.Header.Get("Nats-Sequence") != "2" || del.Header.Get("Nats-Last-Sequence") != "1" {
		t.Errorf("delete: %v", del.Header)
	}
}

func nextChange(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	msg, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// Two writes in one batch are one decision, and one message each on the wire.
func TestAtomicBatch(t *testing.T) {
	conn, js := newJetStream(t)
	ensure(t, js)
	for sequence, key := range []string{"a", "b"} {
		msg := nats.NewMsg("$KV.atlas.hosts.local.identity." + key)
		msg.Header.Set("Nats-Batch-Id", "one")
		msg.Header.Set("Nats-Batch-Sequence", string(rune('1'+sequence)))
		if key == "b" {
			msg.Header.Set("Nats-Batch-Commit", "1")
		}
		if _, err := conn.Request(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(t, js, "KV_atlas").LastSeq; got != 2 {
		t.Errorf("%d stored, expected 2", got)
	}
}

func state(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamState {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State
}

func TestDeployEventsAreKept(t *testing.T) {
	conn, js := newJetStream(t)
	ensure(t, js)
	for _, subject := range []string{"events.v1.local.identity.deploy.started", "events.v1.local.identity.instance.registered"} {
		if _, err := conn.Request(t.Context(), nats.NewMsg(subject)); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := js.Stream(t.Context(), provision.DeploysStream)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := consumer.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil || msg.Subject() != "events.v1.local.identity.deploy.started" {
		t.Fatalf("%v, %v", msg, err)
	}
	if got := state(t, js, provision.DeploysStream).Msgs; got != 1 {
		t.Errorf("%d kept, expected only the deploy", got)
	}
}
