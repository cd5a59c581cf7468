package atlas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
	"fairlead.dev/bus/provision"
	"fairlead.dev/schemas"
)

const (
	eventSource = "/fairlead/atlas"
	// eventRetry is the pause after a stream did not take an event.
	eventRetry = 250 * time.Millisecond
	// farewell bounds what a stopping node still publishes.
	farewell = time.Second
)

// An eventLog publishes events in order, one after the other, each until the
// stream has acknowledged it. Announcing never waits.
type eventLog struct {
	conn *bus.Conn
	log  *slog.Logger

	mu    sync.Mutex
	queue []event.Event
	more  chan struct{}
}

func newEventLog(conn *bus.Conn, log *slog.Logger) *eventLog {
	return &eventLog{conn: conn, log: log, more: make(chan struct{}, 1)}
}

// announce queues the events of a transition.
func (l *eventLog) announce(epoch string, t transition) {
	for i, data := range eventsOf(epoch, t) {
		l.add(data, eventID(epoch, t.entry.seq, i), t.entry.at)
	}
}

// announceRebuilt tells every realm that a new epoch began.
func (l *eventLog) announceRebuilt(m *model, previous string) {
	for realm, t := range m.tables {
		l.add(schemas.RegistryRebuilt{
			AboutService:  schemas.AboutService{Realm: realm, Service: schemas.PlatformService},
			Revision:      schemas.Revision{Epoch: m.epoch, Sequence: m.seq},
			PreviousEpoch: previous, Instances: t.Len(),
		}, eventID(m.epoch, m.seq, 0)+"-"+realm, time.Now())
	}
}

func (l *eventLog) add(data schemas.Data, id string, at time.Time) {
	e := event.New()
	e.SetID(id)
	e.SetSource(eventSource)
	e.SetType(string(data.EventType()))
	e.SetTime(at)
	e.SetDataSchema(data.EventType().SchemaURI())
	if err := e.SetData(event.ApplicationJSON, data); err != nil {
		l.log.Error("event not encoded", "type", e.Type(), "error", err)
		return
	}
	l.mu.Lock()
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends, and then for a moment what is left.
func (l *eventLog) run(ctx context.Context) {
	for {
		select {
		case <-l.more:
			l.drain(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			l.drain(last)
			return
		}
	}
}

func (l *eventLog) drain(ctx context.Context) {
	for ctx.Err() == nil {
		e, ok := l.next()
		if !ok {
			return
		}
		l.publish(ctx, e)
	}
}

func (l *eventLog) next() (event.Event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return event.Event{}, false
	}
	e := l.queue[0]
	l.queue = l.queue[1:]
	return e, true
}

// publish tries until the stream has the event, or refuses it for good.
func (l *eventLog) publish(ctx context.Context, e event.Event) {
	subject, err := subjectOf(e)
	for err == nil {
		_, err = l.conn.Publish(ctx, subject, e)
		var refused *bus.PublishError
		if err == nil || errors.As(err, &refused) {
			break
		}
		l.log.Debug("event not taken, trying again", "type", e.Type(), "error", err)
		select {
		case <-time.After(eventRetry):
			err = nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		l.log.Warn("event not published", "type", e.Type(), "id", e.ID(), "error", err)
	}
}

func subjectOf(e event.Event) (string, error) {
	var about schemas.AboutService
	if err := e.DataAs(&about); err != nil {
		return "", fmt.Errorf("read the event's scope: %w", err)
	}
	return bus.EventSubject(about.Realm, about.Service, schemas.Type(e.Type()).Token())
}

// announced are the kinds of events that follow from entries of the bucket.
var announced = []string{"instance", "service", "entry"}

// cursor finds the last event that any node published of an entry. A crash
// between a write and its event is made good from there.
func (l *eventLog) cursor(ctx context.Context, js jetstream.JetStream) (cursor, error) {
	stream, err := js.Stream(ctx, provision.EventsStream)
	if err != nil {
		return cursor{}, fmt.Errorf("open the stream of events: %w", err)
	}
	var last *jetstream.RawStreamMsg
	for _, kind := range announced {
		m, err := stream.GetLastMsgForSubject(ctx, bus.EventPrefix+".*.*."+kind+".>")
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return cursor{}, fmt.Errorf("read the last event: %w", err)
		case last == nil || m.Sequence > last.Sequence:
			last = m
		}
	}
	if last == nil {
		return cursor{}, nil
	}
	return parseCursor(last.Header.Get("ce-id")), nil
}

// parseCursor reads an id of [eventID]. Anything else gives the zero cursor.
func parseCursor(id string) cursor {
	parts := strings.Split(id, "-")
	if len(parts) != 3 {
		return cursor{}
	}
	seq, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return cursor{}
	}
	return cursor{epoch: parts[0], seq: seq}
}
