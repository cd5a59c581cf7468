package atlas

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Whoever keeps many instances registered over one connection sends their
// heartbeats together: a message costs the bus the same, whatever is in it. Each
// of a group is dealt with as if it had come alone.

// groupAtOnce is how many of a group are dealt with at once, where there is
// more to do than to note that they live.
const groupAtOnce = 16

// groupBytesMost bounds the bytes that are read for a group.
const groupBytesMost = protocol.BeatsMost << 9

var beatsName = []byte(`"beats"`)

// isGroup tells whether a message may be one of many heartbeats.
func isGroup(data []byte) bool {
	if !bytes.Contains(data, beatsName) {
		return false
	}
	_, alone := scanPlain(data)
	return !alone
}

// A beatGroup is the heartbeats of one message, as far as they are still to be
// dealt with.
type beatGroup struct {
	realm string
	beats []scanned
}

// readGroup renews the leases of those that say nothing new, and returns the
// others.
func (n *Node) readGroup(subject string, data []byte, who requester) (beatGroup, error) {
	k, ok := protocol.KeyOf(subject)
	if !ok {
		return beatGroup{}, &registry.FieldError{Field: "subject", Problem: "must end in REALM.SERVICE.INSTANCE"}
	}
	if len(data) > groupBytesMost {
		return beatGroup{}, &registry.FieldError{Field: "body", Problem: fmt.Sprintf("must be at most %d bytes, has %d", groupBytesMost, len(data))}
	}
	g := beatGroup{realm: k.Realm}
	count, ok := scanGroup(data, func(b scanned) { n.readOne(&g, b, who) })
	if ok {
		return g, checkCount(count)
	}
	g.beats = nil
	return g, n.decodeGroup(&g, data, who)
}

func (n *Node) readOne(g *beatGroup, b scanned, who requester) {
	if l := n.leases.findIn(g.realm, b.service, b.instance); l == nil || !n.keep(l, b, who) {
		g.beats = append(g.beats, b)
	}
}

// decodeGroup reads what other programs than ours may write.
func (n *Node) decodeGroup(g *beatGroup, data []byte, who requester) error {
	var m protocol.BeatsMessage
	if err := registry.DecodeLenient(data, &m); err != nil {
		return err
	}
	if err := checkCount(len(m.Beats)); err != nil {
		return err
	}
	for _, one := range m.Beats {
		b := scannedFrom(one.HeartbeatMessage)
		b.service, b.instance = []byte(one.Service), []byte(one.Instance)
		n.readOne(g, b, who)
	}
	return nil
}

func checkCount(beats int) error {
	if beats >= 1 && beats <= protocol.BeatsMost {
		return nil
	}
	return &registry.FieldError{Field: "beats", Problem: fmt.Sprintf("must be 1 to %d, got %d", protocol.BeatsMost, beats)}
}

// scanGroup reads what our own clients write, and reports false for all else.
func scanGroup(data []byte, each func(scanned)) (count int, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"beats":[`))
	for ok {
		var one scanned
		if one, rest, ok = scanObject(rest); !ok {
			return count, false
		}
		each(one)
		count++
		if string(rest) == "]}" {
			return count, true
		}
		rest, ok = bytes.CutPrefix(rest, []byte(`,`))
	}
	return count, false
}

// hearGroup takes a group that wants no answer.
func (n *Node) hearGroup(ctx context.Context, m *nats.Msg, room *semaphore.Weighted) {
	g, err := n.readGroup(m.Subject, m.Data, requester{})
	if err != nil || len(g.beats) == 0 || !room.TryAcquire(1) {
		return // without room the next ones will do
	}
	n.work.Go(func() {
		defer room.Release(1)
		n.takeGroup(n.deadlines.within(ctx, requestTimeout), g, requester{})
	})
}

// answerGroup takes a group and tells which of it are refused.
func (n *Node) answerGroup(ctx context.Context, e *ear, room *semaphore.Weighted, m micro.Request, who requester) {
	who.late = true
	g, err := n.readGroup(m.Subject(), m.Data(), who)
	if err != nil {
		n.respond(m, nil, err)
		return
	}
	if len(g.beats) == 0 {
		n.confirm(ctx, e, m)
		return
	}
	n.answerLater(ctx, room, protocol.Heartbeat, m, func(ctx context.Context) (any, error) {
		refused := n.takeGroup(ctx, g, who)
		if !n.leading.Load() {
			return nil, errNotLeading
		}
		return protocol.BeatsReply{Refused: refused}, nil
	})
}

// takeGroup deals with each as with a request of its own.
func (n *Node) takeGroup(ctx context.Context, g beatGroup, who requester) (refused []protocol.RefusedBeat) {
	errs := make([]error, len(g.beats))
	var all errgroup.Group
	all.SetLimit(groupAtOnce)
	for i, b := range g.beats {
		all.Go(func() error {
			errs[i] = n.takeOne(ctx, g.realm, b, who)
			return nil
		})
	}
	_ = all.Wait()
	for i, err := range errs {
		if err != nil && !errors.Is(err, errNotLeading) {
			b := g.beats[i]
			refused = append(refused, protocol.RefusedBeat{
				Service: string(b.service), Instance: string(b.instance), Problem: protocol.NewProblem(err),
			})
		}
	}
	return refused
}

func (n *Node) takeOne(ctx context.Context, realm string, b scanned, who requester) error {
	k := registry.Key{Realm: realm, Service: string(b.service), Instance: string(b.instance)}
	if err := k.Validate(); err != nil {
		return err
	}
	return n.takeHeartbeat(ctx, k, protocol.HeartbeatMessage{
		Incarnation: string(b.incarnation), Token: string(b.token), Status: registry.Status(b.status),
		InFlight: b.inFlight, Load: b.load,
	}, who)
}
