package atlasclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// How many messages may wait for one listener before it counts as too slow. A
// service's come every few milliseconds at most, and there are processes that
// listen to a thousand services: their room adds up, and the collector reads it.
const (
	heardOfService = 512
	heardOfRealm   = 4096
)

func heardMost(in registry.Interest) int {
	if in.Service == "" {
		return heardOfRealm
	}
	return heardOfService
}

// A listener takes changes and digests from one channel, so both come in the
// order in which they arrived, and hears of them in one goroutine. What else
// there is to tell it is noted beside, with a nil message to wake it: to wait
// for several channels costs more than most messages do.
type listener struct {
	client   *Client
	interest registry.Interest
	hear     func(registry.Update)
	messages chan *nats.Msg
	lost     atomic.Bool
	ended    atomic.Bool
	done     chan struct{}
	undo     []func()
	once     sync.Once
}

// Listen implements [registry.Source]. It works without a connection too: what
// is listened to is asked for as soon as there is one.
func (c *Client) Listen(in registry.Interest, hear func(registry.Update)) (stop func(), err error) {
	if err := checkInterest(in); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l := &listener{
		client: c, interest: in, hear: hear,
		messages: make(chan *nats.Msg, heardMost(in)), done: make(chan struct{}),
	}
	if err := errors.Join(l.subscribe(protocol.Routes(in)), l.subscribe(protocol.Digest(in))); err != nil {
		l.release()
		return nil, fmt.Errorf("listen to %s: %w", nameOf(in), unavailable(err))
	}
	l.undo = append(l.undo, c.conn.OnConnect(l.tellLost))
	go l.run()
	return l.stop, nil
}

func (l *listener) subscribe(subject string) error {
	sub, err := l.client.conn.NATS().ChanSubscribe(subject, l.messages)
	if err != nil {
		return err
	}
	l.undo = append(l.undo,
		func() { _ = sub.Unsubscribe() },
		l.client.conn.OnSlowConsumer(sub, l.tellLost))
	return nil
}

func (l *listener) tellLost() {
	l.lost.Store(true)
	l.wake()
}

// wake needs no room: who has messages to read is awake.
func (l *listener) wake() {
	select {
	case l.messages <- nil:
	default:
	}
}

func (l *listener) run() {
	defer close(l.done)
	for msg := range l.messages {
		if l.ended.Load() {
			return
		}
		if l.lost.Swap(false) {
			l.hear(registry.Update{Lost: true})
		}
		if msg == nil {
			continue
		}
		l.bring(msg)
	}
}

func (l *listener) stop() {
	l.once.Do(func() {
		l.release()
		l.ended.Store(true)
		l.wake()
	})
	<-l.done
}

func (l *listener) release() {
	for _, undo := range l.undo {
		undo()
	}
}

// readers have the room in which changes are read. A process may have a
// thousand listeners, and few of them read at the same time.
var readers = sync.Pool{New: func() any { return new(protocol.ChangesReader) }}

// bring ignores what is not the registry's word on this interest.
func (l *listener) bring(msg *nats.Msg) {
	reader := readers.Get().(*protocol.ChangesReader)
	defer readers.Put(reader)
	u, err := decode(msg, l.interest, reader)
	if err != nil {
		l.client.ignored.Add(1)
		l.client.log.Debug("message ignored", "subject", msg.Subject, "error", err)
		return
	}
	l.hear(u)
}

var (
	errSubject = errors.New("subject does not fit the message")
	errKind    = errors.New("message is not marked as the registry's")
)

func decode(msg *nats.Msg, in registry.Interest, reader *protocol.ChangesReader) (registry.Update, error) {
	switch kindOf(msg) {
	case protocol.KindPackedChanges:
		c, err := reader.Unpack(msg.Data)
		return changesOf(msg.Subject, c, err, in)
	case protocol.KindDigest:
		return decodeDigest(msg.Subject, msg.Data, in)
	case protocol.KindChanges:
		var c registry.Changes
		return changesOf(msg.Subject, &c, json.Unmarshal(msg.Data, &c), in)
	}
	return registry.Update{}, errKind
}

func kindOf(msg *nats.Msg) string {
	if len(msg.Header) == 0 && protocol.IsPackedChanges(msg.Data) {
		return protocol.KindPackedChanges
	}
	return msg.Header.Get(protocol.KindHeader)
}

func decodeDigest(subject string, data []byte, in registry.Interest) (registry.Update, error) {
	var d registry.Digest
	if err := json.Unmarshal(data, &d); err != nil {
		return registry.Update{}, err
	}
	if subject != protocol.Digest(in) || d.Realm != in.Realm || d.Service != in.Service {
		return registry.Update{}, errSubject
	}
	return registry.Update{Digest: &d}, nil
}

// changesOf checks that what was decoded is of the subject and the interest.
func changesOf(subject string, c *registry.Changes, err error, in registry.Interest) (registry.Update, error) {
	if err != nil {
		return registry.Update{}, err
	}
	if c.Service == "" || c.Realm != in.Realm || in.Service != "" && c.Service != in.Service || !protocol.IsRoutes(subject, c.Realm, c.Service) {
		return registry.Update{}, errSubject
	}
	return registry.Update{Changes: c}, nil
}
