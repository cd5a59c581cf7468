package atlasclient

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
)

const (
	// earRoom is how many messages may wait at an ear before its listeners
	// count as too slow; a service's come twenty times a second at most. One
	// that listens to a realm hears far more, and has an ear of its own.
	earRoom   = 512
	realmRoom = 4096
	// earMost is how many listeners share an ear.
	earMost = 8
)

// An ear takes the messages of several listeners from one channel, in the order
// in which they arrived, and has them heard in one goroutine: when many are told
// something at once, waking as many goroutines would cost more than most
// messages do. What else there is to tell is noted beside, with a nil message to
// wake it: to wait for several channels would cost more, too.
type ear struct {
	messages chan *nats.Msg
	most     int // listeners
	lost     atomic.Bool
	ended    atomic.Bool
	done     chan struct{}

	mu        sync.Mutex
	listeners []*listener
	of        map[*nats.Subscription]*listener
}

func newEar(in registry.Interest) *ear {
	room, most := earRoom, earMost
	if in.Service == "" {
		room, most = realmRoom, 1
	}
	return &ear{
		messages: make(chan *nats.Msg, room), most: most,
		done: make(chan struct{}), of: map[*nats.Subscription]*listener{},
	}
}

// wake needs no room: an ear that has messages to read is awake.
func (e *ear) wake() {
	select {
	case e.messages <- nil:
	default:
	}
}

func (e *ear) run() {
	defer close(e.done)
	for msg := range e.messages {
		if e.ended.Load() {
			return
		}
		if e.lost.Swap(false) {
			e.tellLost()
		}
		if msg == nil {
			continue
		}
		if l := e.listenerOf(msg.Sub); l != nil {
			l.bring(msg)
		}
	}
}

func (e *ear) tellLost() {
	e.mu.Lock()
	all := slices.Clone(e.listeners)
	e.mu.Unlock()
	for _, l := range all {
		if l.lost.Swap(false) {
			l.tell(registry.Update{Lost: true})
		}
	}
}

func (e *ear) listenerOf(sub *nats.Subscription) *listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.of[sub]
}

// subscribe keeps messages from being looked at before it is known whose they
// are.
func (e *ear) subscribe(nc *nats.Conn, subject string, l *listener) (*nats.Subscription, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sub, err := nc.ChanSubscribe(subject, e.messages)
	if err != nil {
		return nil, err
	}
	e.of[sub] = l
	return sub, nil
}

func (e *ear) unsubscribe(sub *nats.Subscription) {
	_ = sub.Unsubscribe()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.of, sub)
}

// ears are those of one client. The zero value is ready.
type ears struct {
	mu  sync.Mutex
	all []*ear
}

// lend returns an ear for a listener: one with room, or a new one.
func (s *ears) lend(l *listener) *ear {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if l.interest.Service != "" && e.take(l) {
			return e
		}
	}
	e := newEar(l.interest)
	e.take(l)
	s.all = append(s.all, e)
	go e.run()
	return e
}

func (e *ear) take(l *listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) >= e.most {
		return false
	}
	e.listeners = append(e.listeners, l)
	return true
}

// giveBack ends an ear that nobody uses any more, and waits for it.
func (s *ears) giveBack(e *ear, l *listener) {
	if !s.leave(e, l) {
		return
	}
	e.ended.Store(true)
	e.wake()
	<-e.done
}

func (s *ears) leave(e *ear, l *listener) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = slices.DeleteFunc(e.listeners, func(one *listener) bool { return one == l })
	if len(e.listeners) > 0 {
		return false
	}
	s.all = slices.DeleteFunc(s.all, func(one *ear) bool { return one == e })
	return true
}
