package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
)

// What a stream adds to a message that it publishes again.
const (
	streamHeader   = "Nats-Stream"
	subjectHeader  = "Nats-Subject"
	sequenceHeader = "Nats-Sequence"
)

// Delivery is an event as it was heard.
type Delivery struct {
	Event    event.Event
	Subject  string // where it was published
	Sequence uint64 // in its stream; 0 if it came past none
}

// Subscribe has handle called for each event on a subject, one after the
// other; ctx carries the span that the event comes from. What is no event is
// logged and passed over. End it by the subscription's Unsubscribe.
func (c *Conn) Subscribe(subject string, handle func(ctx context.Context, d Delivery)) (*nats.Subscription, error) {
	sub, err := c.nc.Subscribe(subject, func(msg *nats.Msg) {
		if isReflected(msg) {
			c.log.Warn("not from the stream", "subject", msg.Subject)
			return
		}
		e, err := DecodeEvent(msg)
		if err != nil {
			c.log.Warn("not an event", "subject", msg.Subject, "error", err)
			return
		}
		handle(traceOf(context.Background(), e), delivery(msg, e))
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return sub, nil
}

// isReflected finds what is on the feed's subjects but was never stored:
// somebody's choice of a reply subject can put an answer there, though not
// with the headers that the stream adds.
func isReflected(msg *nats.Msg) bool {
	return strings.HasPrefix(msg.Subject, FeedPrefix+".") && msg.Header.Get(streamHeader) == ""
}

// delivery reads what the stream says of itself when it publishes again what
// it stored.
func delivery(msg *nats.Msg, e event.Event) Delivery {
	d := Delivery{Event: e, Subject: msg.Subject}
	if stored := msg.Header.Get(subjectHeader); stored != "" {
		d.Subject = stored
	}
	d.Sequence, _ = strconv.ParseUint(msg.Header.Get(sequenceHeader), 10, 64)
	return d
}
