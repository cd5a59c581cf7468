package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
	"fairlead.dev/bus/provision"
	"fairlead.dev/schemas"
)

const (
	eventSource = "/fairlead/atlas"
	// eventRetry is the pause after a stream did not take an event.
	eventRetry = 250 * time.Millisecond
	// eventPause is how long events wait for others after a group of them. A
	// group costs nearly the same however small it is, and nobody waits for
	// an event as those wait who register.
	eventPause = 60 * time.Millisecond
	// farewell bounds what a stopping node still publishes.
	farewell = time.Second
	// announcementsMost bounds what waits in memory while the stream of events
	// takes nothing. The bucket holds the rest.
	announcementsMost = 16384
	// staleAfter is well below the time for which the stream recognises an
	// event by its id. What has waited for longer may have been announced by
	// another node in between.
	staleAfter = time.Minute
)

// An eventLog publishes events in order, each until the stream has
// acknowledged it; those that wait go together. Announcing never waits.
type eventLog struct {
	conn *bus.Conn
	js   jetstream.JetStream
	log  *slog.Logger

	mu     sync.Mutex
	queue  []announcement
	unsent []*nats.Msg
	secret string
	// full is set when something was not queued for want of room.
	full bool
	more chan struct{}
}

// An announcement waits to be published: the events of a transition, which are
// made only then, or one that follows from no entry.
type announcement struct {
	epoch      string
	transition transition
	other      *platformEvent
}

func newEventLog(conn *bus.Conn, js jetstream.JetStream, log *slog.Logger) *eventLog {
	return &eventLog{conn: conn, js: js, log: log, more: make(chan struct{}, 1)}
}

// know takes over the secret of event ids.
func (l *eventLog) know(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secret = secret
}

// announce queues the events of a transition. It reports false if there is no
// room; from then on nothing is queued until what waits has been published,
// and the rest has to be announced anew from the [eventLog.cursor] on.
func (l *eventLog) announce(epoch string, t transition) bool {
	return l.queueUp(announcement{epoch: epoch, transition: t})
}

// announceRebuilt tells every realm that a new epoch began.
func (l *eventLog) announceRebuilt(m *model, previous string) {
	for realm, t := range m.tables() {
		l.add(schemas.RegistryRebuilt{
			AboutService:  schemas.AboutService{Realm: realm, Service: schemas.PlatformService},
			Revision:      schemas.Revision{Epoch: m.epoch, Sequence: m.seq},
			PreviousEpoch: previous, Instances: t.Len(),
		}, eventID(m.secret, m.epoch, m.seq, "rebuilt-"+realm), time.Now())
	}
}

// announceHeld tells a realm that evictions are held back, or no longer.
func (l *eventLog) announceHeld(data schemas.Data, rev schemas.Revision, at time.Time) {
	l.add(data, fmt.Sprintf("%s-%d-%s-%d", rev.Epoch, rev.Sequence, data.EventType().Token(), at.UnixNano()), at)
}

// add queues an event that follows from no entry of the bucket. Without room
// it is dropped: nothing could tell of it later.
func (l *eventLog) add(data schemas.Data, id string, at time.Time) {
	if !l.queueUp(announcement{other: &platformEvent{data, id, at}}) {
		l.log.Error("event not announced, too many wait", "type", data.EventType(), "id", id)
	}
}

func (l *eventLog) queueUp(a announcement) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full || len(l.queue) >= announcementsMost {
		l.full = true
		return false
	}
	l.queue = append(l.queue, a)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return true
}

// isFull tells whether nothing is queued until what waits has been published.
func (l *eventLog) isFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full
}

// forget drops what waits: it is somebody else's to announce.
func (l *eventLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue, l.unsent, l.full = nil, nil, false
}

// run publishes until ctx ends, and then for a moment what is left. What is
// under way at that moment goes on: publishing the rest without it would hide
// the gap from whoever goes on from the last event that is stored.
func (l *eventLog) run(ctx context.Context) {
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, end) })()
	for {
		select {
		case <-l.more:
			l.drain(lasting, ctx.Done())
		case <-ctx.Done():
			l.drain(lasting, ctx.Done())
			return
		}
	}
}

// drain publishes until nothing waits. It makes no pauses once stopping.
func (l *eventLog) drain(ctx context.Context, stopping <-chan struct{}) {
	for ctx.Err() == nil {
		messages := l.takeUnsent()
		if len(messages) == 0 {
			waiting := l.take()
			if len(waiting) == 0 {
				return
			}
			messages = l.encode(l.stillNews(ctx, waiting))
		}
		l.keepUnsent(l.publish(ctx, messages))
		if len(messages) >= batchLeast {
			l.gather(stopping)
		}
	}
}

// gather gives what is still to come the time to make a group, unless there
// is one already.
func (l *eventLog) gather(stopping <-chan struct{}) {
	if l.waiting() >= batchMost {
		return
	}
	pause := time.NewTimer(eventPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-stopping:
	}
}

func (l *eventLog) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// keepUnsent keeps what could not be published before ctx ended: if what came
// later went out without it, its place in the stream would be gone for good.
func (l *eventLog) keepUnsent(messages []*nats.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsent = messages
}

func (l *eventLog) takeUnsent() []*nats.Msg {
	l.mu.Lock()
	defer l.mu.Unlock()
	messages := l.unsent
	l.unsent = nil
	return messages
}

// take returns what waits, as much as mostly fits into one batch.
func (l *eventLog) take() []announcement {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.queue, l.full = nil, false
		return nil
	}
	n := min(len(l.queue), batchMost)
	taken := l.queue[:n:n]
	l.queue = l.queue[n:]
	return taken
}

// stillNews drops what has waited for so long that the stream would not
// recognise it, should another node have announced it meanwhile.
func (l *eventLog) stillNews(ctx context.Context, waiting []announcement) []announcement {
	if t := waiting[0].transition; t.entry.at.IsZero() || time.Since(t.entry.at) < staleAfter {
		return waiting
	}
	c, err := l.cursor(ctx)
	if err != nil {
		l.log.Debug("last event not read", "error", err)
		return waiting
	}
	return slices.DeleteFunc(waiting, func(a announcement) bool {
		return a.other == nil && c.epoch == a.epoch && a.transition.entry.seq <= c.seq
	})
}

// encode makes the messages of what is to be announced.
func (l *eventLog) encode(waiting []announcement) []*nats.Msg {
	l.mu.Lock()
	secret := l.secret
	l.mu.Unlock()
	var messages []*nats.Msg
	for _, a := range waiting {
		for _, e := range a.events(secret) {
			m, err := e.message()
			if err != nil {
				l.log.Error("event not encoded", "type", e.data.EventType(), "id", e.id, "error", err)
				continue
			}
			messages = append(messages, m)
		}
	}
	return messages
}

func (a announcement) events(secret string) []platformEvent {
	if a.other != nil {
		return []platformEvent{*a.other}
	}
	var all []platformEvent
	for i, data := range eventsOf(a.epoch, a.transition) {
		id := eventID(secret, a.epoch, a.transition.entry.seq, strconv.Itoa(i))
		all = append(all, platformEvent{data: data, id: id, at: a.transition.entry.at})
	}
	return all
}

// A platformEvent is an event that Atlas publishes.
type platformEvent struct {
	data schemas.Data
	id   string
	at   time.Time
}

// message writes what [bus.EncodeEvent] would. It can spare what that has to
// look at: nothing here comes from outside, and nothing needs encoding.
func (e platformEvent) message() (*nats.Msg, error) {
	realm, service := e.data.Scope()
	subject, err := bus.EventSubject(realm, service, e.data.EventType().Token())
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e.data)
	return &nats.Msg{Subject: subject, Data: body, Header: nats.Header{
		"ce-specversion":     {event.CloudEventsVersionV1},
		"ce-id":              {e.id},
		"ce-source":          {eventSource},
		"ce-type":            {string(e.data.EventType())},
		"ce-time":            {e.at.UTC().Format(time.RFC3339Nano)},
		"ce-dataschema":      {e.data.EventType().SchemaURI()},
		"ce-datacontenttype": {event.ApplicationJSON},
		nats.MsgIdHdr:        {eventSource + " " + e.id},
	}}, err
}

// publish stores messages in their order: many together, and one after the
// other where they are few or the stream did not take them together. What it
// has already, it recognises. It returns those that are left when ctx ends.
func (l *eventLog) publish(ctx context.Context, messages []*nats.Msg) []*nats.Msg {
	for len(messages) > 0 {
		some := messages[:min(len(messages), batchMost)]
		if len(some) < batchLeast || !l.publishTogether(ctx, some) {
			for i, m := range some {
				if !l.publishOne(ctx, m) {
					return messages[i:]
				}
			}
		}
		messages = messages[len(some):]
	}
	return nil
}

func (l *eventLog) publishTogether(ctx context.Context, messages []*nats.Msg) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := storeTogether(ctx, l.conn.NATS(), messages)
	if err != nil {
		l.log.Debug("events not taken together", "events", len(messages), "error", err)
	}
	return err == nil
}

// publishOne tries until the stream has the event, or says that it never will.
// It reports false when ctx ends before that.
func (l *eventLog) publishOne(ctx context.Context, m *nats.Msg) bool {
	for tries := 0; ctx.Err() == nil; tries++ {
		_, err := l.js.PublishMsg(ctx, m)
		switch {
		case err == nil:
			return true
		case tooLarge(err):
			l.log.Error("event not published", "id", m.Header.Get(nats.MsgIdHdr), "error", err)
			return true
		case tries == 0 && ctx.Err() == nil:
			l.log.Warn("event not taken, trying again", "subject", m.Subject, "error", err)
		}
		select {
		case <-time.After(eventRetry):
		case <-ctx.Done():
		}
	}
	return false
}

// tooLarge tells whether a message is refused for what it is, and not for how
// the stream fares.
func tooLarge(err error) bool {
	const messageExceedsMaximum, headerExceedsMaximum = 10054, 10097
	var api *jetstream.APIError
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) &&
		(api.ErrorCode == messageExceedsMaximum || api.ErrorCode == headerExceedsMaximum)
}

// announced are the kinds of events that follow from entries of the bucket.
// Programs cannot publish them.
var announced = []string{"instance", "service", "entry"}

// cursor finds the last event of an entry that any node published. A crash
// between a write and its event is made good from there.
func (l *eventLog) cursor(ctx context.Context) (cursor, error) {
	var last storedMessage
	for _, kind := range announced {
		m, err := lastMessage(ctx, l.conn.NATS(), provision.EventsStream, bus.EventPrefix+".*.*."+kind+".>")
		if err != nil {
			return cursor{}, fmt.Errorf("read the last event: %w", err)
		}
		if m.Sequence > last.Sequence {
			last = m
		}
	}
	if last.Sequence == 0 {
		return cursor{}, nil
	}
	header, err := nats.DecodeHeadersMsg(last.Header)
	if err != nil {
		return cursor{}, fmt.Errorf("read the last event: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return parseCursor(l.secret, header.Get("ce-id")), nil
}
