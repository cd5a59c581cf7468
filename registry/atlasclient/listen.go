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

// A listener has subscriptions of its own, and shares an ear with others of its
// client.
type listener struct {
	client   *Client
	interest registry.Interest
	ear      *ear
	lost     atomic.Bool
	undo     []func()
	once     sync.Once

	mu    sync.Mutex // held while it hears
	hear  func(registry.Update)
	ended bool
}

// Listen implements [registry.Source]. It works without a connection too: what
// is listened to is asked for as soon as there is one.
func (c *Client) Listen(in registry.Interest, hear func(registry.Update)) (stop func(), err error) {
	if err := checkInterest(in); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l := &listener{client: c, interest: in, hear: hear}
	l.ear = c.ears.lend(l)
	if err := errors.Join(l.subscribe(protocol.Routes(in)), l.subscribe(protocol.Digest(in))); err != nil {
		l.stop()
		return nil, fmt.Errorf("listen to %s: %w", nameOf(in), unavailable(err))
	}
	l.undo = append(l.undo, c.conn.OnConnect(l.tellLost))
	return l.stop, nil
}

func (l *listener) subscribe(subject string) error {
	sub, err := l.ear.subscribe(l.client.conn.NATS(), subject, l)
	if err != nil {
		return err
	}
	l.undo = append(l.undo,
		func() { l.ear.unsubscribe(sub) },
		l.client.conn.OnSlowConsumer(sub, l.tellLost))
	return nil
}

func (l *listener) tellLost() {
	l.lost.Store(true)
	l.ear.lost.Store(true)
	l.ear.wake()
}

func (l *listener) tell(u registry.Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.hear(u)
	}
}

func (l *listener) stop() {
	l.once.Do(func() {
		for _, undo := range l.undo {
			undo()
		}
		l.end()
		l.client.ears.giveBack(l.ear, l)
	})
}

// end waits for a call under way.
func (l *listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
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
	l.tell(u)
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
