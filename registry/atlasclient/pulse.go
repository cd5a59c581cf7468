package atlasclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// gatherFor is how long a heartbeat may wait for others: a lease lasts longer
// than three of them by far more.
const gatherFor = 250 * time.Millisecond

// errAlone sends a heartbeat back to be sent by itself.
var errAlone = errors.New("heartbeats are to be sent one by one")

// A pulse gathers the heartbeats of a client that speaks for several instances:
// one that comes soon after another's waits for those that are still to come,
// and they travel in one message. One that is alone waits for nobody, and
// neither does one that has more to say than that all is well.
//
// Only a registry that said so takes such messages, so it has to say so on each
// connection: with a registration, or by answering one. Until then only requests
// are gathered.
type pulse struct {
	client *Client

	mu sync.Mutex
	// carrier is the instance on whose subject the messages go, the zero key if
	// the registry takes none.
	carrier registry.Key
	// trusted tells that what is not answered may be gathered too.
	trusted  bool
	watching sync.Once

	last    registry.Key // whose heartbeat went alone
	next    time.Time    // when the next message may go
	waiting []gathered
	timer   *time.Timer // runs while something waits
}

// gathered is a heartbeat that waits to be sent.
type gathered struct {
	key    registry.Key
	beat   registry.Heartbeat
	answer chan<- error // nil if nobody waits for one
}

// registered takes note of what the registry can take.
func (p *pulse) registered(k registry.Key, most int) {
	if most > 0 {
		p.watching.Do(func() { p.client.conn.OnDisconnect(func(error) { p.doubt() }) })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case most < protocol.BeatsMost:
		p.carrier, p.trusted = registry.Key{}, false
		return
	case p.carrier == registry.Key{}:
		p.carrier = k
	}
	p.trusted = true
}

// doubt is called when the connection is lost: the next may lead to another
// version.
func (p *pulse) doubt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trusted = false
}

// gather takes a heartbeat over, or reports false: then it has to be sent now,
// by itself.
func (p *pulse) gather(g gathered) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mayWait(g) {
		p.remove(g.key)
		return false
	}
	now := time.Now()
	if alone := len(p.waiting) == 0 && p.last == g.key; alone || !now.Before(p.next) {
		p.last, p.next = g.key, now.Add(gatherFor)
		return false
	}
	p.waiting = append(p.waiting, g)
	switch len(p.waiting) {
	case 1:
		p.timer = time.AfterFunc(p.next.Sub(now), p.send)
	case protocol.BeatsMost:
		p.timer.Reset(0)
	}
	return true
}

func (p *pulse) mayWait(g gathered) bool {
	wellKnown := g.beat.Status == registry.Passing || g.beat.Status == ""
	return wellKnown && p.carrier.Realm == g.key.Realm && (p.trusted || g.answer != nil)
}

// drop takes back what waits of an instance: there is later news of it.
func (p *pulse) drop(k registry.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(k)
}

func (p *pulse) remove(k registry.Key) {
	p.waiting = slices.DeleteFunc(p.waiting, func(g gathered) bool {
		if g.key == k && g.answer != nil {
			g.answer <- errAlone
		}
		return g.key == k
	})
	if len(p.waiting) == 0 && p.timer != nil {
		p.timer.Stop()
	}
}

// await waits for the answer to a heartbeat that was gathered.
func (p *pulse) await(ctx context.Context, k registry.Key, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		p.drop(k)
		return fmt.Errorf("%s %s: %w", protocol.Heartbeat, k, unavailable(ctx.Err()))
	}
}

// send sends all that waits.
func (p *pulse) send() {
	group, carrier := p.take()
	for some := range slices.Chunk(group, protocol.BeatsMost) {
		p.sendTogether(some, carrier)
	}
}

func (p *pulse) take() ([]gathered, registry.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	group := p.waiting
	p.waiting, p.last = nil, registry.Key{}
	p.next = time.Now().Add(gatherFor)
	return group, p.carrier
}

func (p *pulse) sendTogether(group []gathered, carrier registry.Key) {
	body := protocol.BeatsMessage{Beats: make([]protocol.InstanceBeat, len(group))}
	asks := false
	for i, g := range group {
		body.Beats[i] = protocol.InstanceBeat{Service: g.key.Service, Instance: g.key.Instance, HeartbeatMessage: messageOf(g.beat)}
		asks = asks || g.answer != nil
	}
	if !asks {
		if err := p.client.publish(carrier, protocol.Subject(protocol.Beat, carrier), body); err != nil {
			p.client.log.Debug("heartbeats not sent", "instances", len(group), "error", err)
		}
		return
	}
	var reply protocol.BeatsReply
	err := p.client.request(context.Background(), protocol.Subject(protocol.Heartbeat, carrier), body, &reply)
	if isRefusal(err) {
		err = errAlone
	}
	p.note(err)
	tell(group, reply, err)
}

// isRefusal tells whether it was the message itself that was refused: by a
// registry that takes it for a heartbeat of one, or for want of a permission.
func isRefusal(err error) bool {
	var refusal *protocol.Problem
	return errors.As(err, &refusal) && !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, bus.ErrForbidden)
}

// note learns from the answer to a message of many heartbeats whether the
// registry takes them.
func (p *pulse) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.trusted = true
	case errors.Is(err, errAlone):
		p.carrier, p.trusted = registry.Key{}, false
	}
}

// tell gives those who wait their answers.
func tell(group []gathered, reply protocol.BeatsReply, err error) {
	refused := map[registry.Key]error{}
	for _, r := range reply.Refused {
		if r.Problem != nil {
			refused[registry.Key{Service: r.Service, Instance: r.Instance}] = r.Problem
		}
	}
	for _, g := range group {
		if g.answer != nil {
			g.answer <- outcome(g.key, cmp.Or(err, refused[registry.Key{Service: g.key.Service, Instance: g.key.Instance}]))
		}
	}
}

func outcome(k registry.Key, err error) error {
	if err == nil {
		return nil
	}
	return about(protocol.Heartbeat, k, err)
}
