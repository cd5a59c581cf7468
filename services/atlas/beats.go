package atlas

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Most heartbeats change nothing but when an instance was last heard. They
// take a short way, in the goroutine that delivers them: one lookup and one
// assignment. All others go the way of requests.

// What waits to be read is bounded: the next heartbeat is as good as the one
// that is dropped, and older ones would keep it waiting.
const (
	waitingBeats     = 1 << 14
	waitingBeatBytes = waitingBeats << 10
)

// serveHeartbeats hears both kinds of heartbeat on every connection there is
// for them. Every node hears each, once, because each keeps leases of its own.
func (n *Node) serveHeartbeats(ctx context.Context, room *semaphore.Weighted) error {
	group := randomID()
	for _, e := range n.ears {
		if err := n.hearHeartbeats(ctx, e, group, room); err != nil {
			return fmt.Errorf("hear heartbeats: %w", err)
		}
	}
	return nil
}

func (n *Node) hearHeartbeats(ctx context.Context, e *ear, group string, room *semaphore.Weighted) error {
	service, err := micro.AddService(e.nc, micro.Config{
		Name: "atlas-heartbeats", Version: serviceVersion, Description: "What keeps the leases of Fairlead's registry", QueueGroup: group,
	})
	if err != nil {
		return err
	}
	n.closer = append(n.closer, func() { _ = service.Stop() })
	err = service.AddEndpoint(protocol.Heartbeat, n.answerHeartbeat(ctx, e, room),
		micro.WithEndpointSubject(protocol.Pattern(protocol.Heartbeat)), micro.WithEndpointPendingLimits(waitingBeats, waitingBeatBytes))
	if err != nil {
		return err
	}
	sub, err := e.nc.QueueSubscribe(protocol.Pattern(protocol.Beat), group, func(m *nats.Msg) { n.hearBeat(ctx, m, room) })
	if err != nil {
		return err
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	return sub.SetPendingLimits(waitingBeats, waitingBeatBytes)
}

// answerHeartbeat answers heartbeats that are requests, or that programs of an
// earlier version publish there.
func (n *Node) answerHeartbeat(ctx context.Context, e *ear, room *semaphore.Weighted) micro.Handler {
	elaborate := n.answer(ctx, room, protocol.Heartbeat, n.handleHeartbeat)
	return micro.HandlerFunc(func(m micro.Request) {
		who, err := n.requesterOf(m)
		if err == nil && isGroup(m.Data()) {
			n.answerGroup(ctx, e, room, m, who)
			return
		}
		if err != nil || !n.renew(m.Subject(), m.Data(), who) {
			elaborate.Handle(m)
			return
		}
		n.confirm(ctx, e, m)
	})
}

// confirm answers heartbeats that changed nothing.
func (n *Node) confirm(ctx context.Context, e *ear, m micro.Request) {
	if !n.leading.Load() {
		return // every node heard it, and one of them answers
	}
	n.meters.counted(ctx, protocol.Heartbeat, "ok")
	if !mayAnswer(m) {
		return
	}
	if err := e.nc.Publish(m.Reply(), nothingToSay); err != nil {
		n.log.Debug("answer not sent", "subject", m.Subject(), "error", err)
	}
}

var nothingToSay = []byte("{}")

// hearBeat takes a heartbeat that wants no answer. There is no telling who
// sent it; the lease's token proves that it may.
func (n *Node) hearBeat(ctx context.Context, m *nats.Msg, room *semaphore.Weighted) {
	if isGroup(m.Data) {
		n.hearGroup(ctx, m, room)
		return
	}
	if n.renew(m.Subject, m.Data, requester{}) || !room.TryAcquire(1) {
		return // without room the next one will do
	}
	n.work.Go(func() {
		defer room.Release(1)
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		n.takeBeat(ctx, m)
	})
}

func (n *Node) takeBeat(ctx context.Context, m *nats.Msg) {
	k, ok := protocol.KeyOf(m.Subject)
	if !ok || k.Validate() != nil || len(m.Data) > registry.MaxRegistrationBytes {
		return
	}
	_, err := n.handleHeartbeat(ctx, request{key: k, data: m.Data})
	if errors.Is(err, errNotLeading) {
		return
	}
	n.meters.counted(ctx, protocol.Beat, codeOf(err))
}

// renew keeps a lease if the heartbeat is of its life and says nothing new.
// The zero requester stands for one that is not known.
func (n *Node) renew(subject string, data []byte, who requester) bool {
	k, ok := protocol.KeyOf(subject)
	if !ok {
		return false
	}
	l := n.leases.find(k)
	if l == nil {
		return false
	}
	m, ok := scanBeat(data)
	return ok && n.keep(l, m, who)
}

// keep renews a lease if a heartbeat is of its life, and tells whether that is
// all there is to do.
func (n *Node) keep(l *lease, m scanned, who requester) bool {
	r := l.record.Load()
	if string(m.incarnation) != r.Atlas.Incarnation || !r.knows(m.token) {
		return false
	}
	// Whoever knows the token lives, whatever else there is to say.
	n.heard(l, m.inFlight, m.load, n.momentNow())
	return r.says(m.status) && (who.client == 0 || r.Atlas.Via != "" || l.speaksThrough(who.connection()))
}

// heard notes a heartbeat that proved to be of the lease's life.
func (n *Node) heard(l *lease, inFlight int, load float64, now moment) {
	l.heard.Store(int64(now))
	l.noteLoad(inFlight, load)
	n.samples.add(l)
}

// says tells whether a reported status is what the record has already.
func (r *record) says(status []byte) bool {
	if r.Atlas.Suspect {
		return false
	}
	return string(status) == string(r.Atlas.Status) || len(status) == 0 && r.Atlas.Status == registry.Passing
}

func (n *Node) handleHeartbeat(ctx context.Context, r request) (any, error) {
	var m protocol.HeartbeatMessage
	if err := registry.DecodeLenient(r.data, &m); err != nil {
		return nil, err
	}
	return struct{}{}, n.takeHeartbeat(ctx, r.key, m, r.who)
}

func (n *Node) takeHeartbeat(ctx context.Context, k registry.Key, m protocol.HeartbeatMessage, who requester) error {
	if m.Status == "" {
		m.Status = registry.Passing
	}
	if err := registry.ValidateReported(m.Status); err != nil {
		return err
	}
	return n.heartbeat(ctx, k, m, who)
}
