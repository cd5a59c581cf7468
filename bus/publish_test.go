package bus_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
)

func provisioned(t *testing.T) *embedded.Server {
	t.Helper()
	srv := startServer(t, embedded.Options{})
	js, err := jetstream.New(connect(t, srv.AtlasOptions()).NATS())
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	return srv
}

const subject = "events.v1.local.identity.user.created"

func TestPublishAndHear(t *testing.T) {
	conn := connect(t, bus.Options{URL: provisioned(t).ClientURL(), FailFast: true})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	type heard struct {
		bus.Delivery
		trace trace.TraceID
	}
	deliveries := make(chan heard, 1)
	_, err := conn.Subscribe("feed.v1.local.*.>", func(ctx context.Context, d bus.Delivery) {
		deliveries <- heard{d, trace.SpanContextFromContext(ctx).TraceID()}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fullEvent(t)
	ack, err := conn.Publish(trace.ContextWithSpanContext(t.Context(), span), subject, want)
	if err != nil || ack != (bus.Ack{Stream: "EVENTS", Sequence: 1}) {
		t.Fatalf("%+v, %v", ack, err)
	}
	got := <-deliveries
	if got.Subject != subject || got.Sequence != 1 || got.trace != span.TraceID() {
		t.Errorf("heard %s, sequence %d, trace %s", got.Subject, got.Sequence, got.trace)
	}
	want.SetExtension("traceparent", got.Event.Extensions()["traceparent"])
	assertSame(t, got.Event, want)
}

func TestPublishTwiceIsStoredOnce(t *testing.T) {
	conn := connect(t, bus.Options{URL: provisioned(t).ClientURL(), FailFast: true})
	for _, want := range []bool{false, true} {
		ack, err := conn.Publish(t.Context(), subject, newEvent("same"))
		if err != nil || ack.Duplicate != want || ack.Sequence != 1 {
			t.Errorf("%+v, %v, expected duplicate to be %v", ack, err, want)
		}
	}
}

func TestPublishToNoStream(t *testing.T) {
	conn := connect(t, bus.Options{URL: startServer(t, embedded.Options{}).ClientURL(), FailFast: true})
	if _, err := conn.Publish(t.Context(), subject, newEvent("1")); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("got %v, expected ErrUnavailable", err)
	}
}

func TestRefusalsAndOtherAnswers(t *testing.T) {
	srv := startServer(t, embedded.Options{})
	conn := connect(t, srv.AtlasOptions())
	answer := make(chan string, 1)
	if _, err := conn.NATS().Subscribe(subject, func(msg *nats.Msg) { _ = msg.Respond([]byte(<-answer)) }); err != nil {
		t.Fatal(err)
	}
	answer <- `{"error":{"code":400,"err_code":10077,"description":"maximum messages exceeded"},"stream":"EVENTS","seq":0}`
	_, err := conn.Publish(t.Context(), subject, newEvent("1"))
	var refusal *bus.PublishError
	if !errors.As(err, &refusal) || refusal.ErrorCode != 10077 || refusal.Subject != subject {
		t.Errorf("got %v, expected a PublishError", err)
	}
	for _, other := range []string{"", "hello", "{}"} {
		answer <- other
		if ack, err := conn.Publish(t.Context(), subject, newEvent("1")); err == nil {
			t.Errorf("%q was taken for %+v", other, ack)
		}
	}
}

// Another client's choice of a reply subject can put an answer on the feed's
// subjects, even one that looks like an event.
func TestWhatWasNeverStoredIsNotHeard(t *testing.T) {
	srv := provisioned(t)
	atlas := connect(t, srv.AtlasOptions())
	conn := connect(t, bus.Options{URL: srv.ClientURL(), FailFast: true})
	heard := make(chan string, 2)
	if _, err := conn.Subscribe("feed.v1.>", func(_ context.Context, d bus.Delivery) { heard <- d.Event.ID() }); err != nil {
		t.Fatal(err)
	}
	if err := conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	forged, err := bus.EncodeEvent("feed.v1.local.identity.x", newEvent("forged"))
	if err != nil {
		t.Fatal(err)
	}
	if err := atlas.NATS().PublishMsg(forged); err != nil {
		t.Fatal(err)
	}
	if _, err := atlas.Publish(t.Context(), subject, newEvent("stored")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "stored" {
		t.Errorf("heard %s", got)
	}
}
