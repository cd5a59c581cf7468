package atlas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fairlead.dev/registry"
)

// ableFor is how long a node counts as able to write after the bucket was last
// seen to answer it. It outlasts a stalled disk.
const ableFor = 5 * time.Second

// errNotLeading says that another node acts on what all of them heard.
var errNotLeading = errors.New("another node leads")

// leadership is what this node knows of who leads. It belongs to the owner of
// the state.
//
// One node leads: it publishes, judges and tidies up. All of them follow the
// bucket, know all leases and answer requests, so any of them can take over.
type leadership struct {
	node    string
	started time.Time
	roster  roster
	leader  string // as this node sees it; "" while there is none
	leaving bool
	// inTouch is set while this node hears itself over the bus, met once it has
	// heard any other.
	inTouch, met bool
	// listening is until when this node does not lead, because it cannot have
	// heard yet who does.
	listening time.Time
	// answered is when the bucket last answered, and the model was as far.
	answered time.Time
	said     time.Time

	// resumed is when this process ran again after a pause.
	resumed time.Time

	// mandate ends with this node's leadership, and with it what was begun in
	// its name.
	mandate context.Context
	resign  context.CancelFunc
	since   time.Time // when it began to lead
	// announcing is set once the events of the time without a leader are out.
	announcing bool
}

// leads tells whether this node is the one that publishes, judges and tidies
// up. It is asked wherever the owner is about to do one of these.
func (s *state) leads() bool { return s.lead.mandate != nil }

// able tells whether this node could lead.
func (s *state) able(now time.Time) bool {
	return !now.Before(s.lead.listening) && now.Sub(s.lead.answered) < ableFor && (!s.reloading || s.leads())
}

// hearNode takes in what a node, perhaps this one, says of itself.
func (s *state) hearNode(ctx context.Context, p presence, reply string, now time.Time) {
	s.lead.roster.note(p, now)
	switch {
	case p.Node != s.lead.node:
		s.lead.met = true
	case !s.lead.inTouch:
		s.regain(now)
	}
	if reply != "" {
		s.say(reply, now)
	}
	s.vote(ctx, now)
}

// vote finds who leads, and takes over or steps down accordingly. This node
// counts only while it hears itself over the bus.
func (s *state) vote(ctx context.Context, now time.Time) {
	heard := s.lead.roster.heard(now)
	me := slices.IndexFunc(heard, func(p presence) bool { return p.Node == s.lead.node })
	switch {
	case me >= 0:
		heard[me] = s.presence(now)
	case s.lead.inTouch:
		s.node.log.Warn("this node does not hear itself over the bus, leases start anew")
		s.lapse(now)
		return
	}
	leader := elect(heard)
	if leader == s.lead.leader {
		return
	}
	s.node.log.Debug("leader found", "node", s.lead.node, "leader", leader, "before", s.lead.leader, "present", len(heard))
	s.lead.leader = leader
	switch {
	case leader == s.lead.node:
		s.takeOver(ctx, now)
	case s.leads():
		s.stepDown()
	}
	s.say(nodeSubject, now)
}

// stepDown ends what this node does as the leader. What it was about to
// publish is the next leader's to publish.
func (s *state) stepDown() {
	s.lead.resign()
	s.node.leading.Store(false)
	s.lead.mandate, s.lead.resign, s.lead.announcing = nil, nil, false
	s.fanout.forget()
	s.losses = newLosses()
	if !s.lead.leaving {
		s.node.events.forget()
	}
}

// longestPause is how long this process may not run, or its machine sleep,
// without being taken for deaf.
const longestPause = 10 * wheelStep

// noticePause is called before anything else is done. If this process did not
// run for a while, what waits in its queues is from another time, and so is
// its leadership; and nobody is judged for what it did not hear. The wall clock
// goes on while a machine sleeps, the other one may not.
func (s *state) noticePause(at time.Time) {
	paused := max(at.Sub(s.lastRan), at.Round(0).Sub(s.lastRan.Round(0)))
	s.lastRan = at
	if paused > longestPause {
		s.node.log.Warn("this node was not running or its clock was set, leases start anew", "seconds", paused.Seconds())
		s.lead.resumed = at
		s.lapse(at)
	}
}

// requestsAreOldFor is how long after a pause the requests that waited for it
// to end may still come up.
const requestsAreOldFor = 500 * time.Millisecond

var errResumed = fmt.Errorf("%w: this node was not running until now, ask again", registry.ErrUnavailable)

// resumed refuses to decide on a request just after a pause. It may have waited
// here for as long as that, and whoever sent it may have asked another node
// since, and left.
func (s *state) resumed(now time.Time) error {
	if now.Sub(s.lead.resumed) < requestsAreOldFor {
		return errResumed
	}
	return nil
}

// lapse makes this node one that has heard nothing: after a pause, without a
// connection to the bus, or with one that carries nothing. It leads no more.
func (s *state) lapse(now time.Time) {
	s.lead.roster, s.lead.leader, s.lead.inTouch, s.lead.answered = roster{}, "", false, time.Time{}
	if s.leads() {
		s.stepDown()
	}
	s.renewAll(s.node.moment(now))
	s.say(nodeSubject, now)
	s.node.lookAtBucket()
}

// regain begins anew after a lapse, as soon as this node hears itself again. If
// there are others, it first listens who of them leads.
func (s *state) regain(now time.Time) {
	s.lead.inTouch = true
	if s.lead.met {
		s.lead.listening = now.Add(listenFor)
	}
	s.renewAll(s.node.moment(now))
	s.node.lookAtBucket()
}

// watchBus has this node step down at once when its connection is lost.
func (n *Node) watchBus(ctx context.Context) {
	// The connection's handlers must not wait for the owner. When it is back,
	// this node hears itself again.
	lapse := func(error) { n.work.Go(func() { n.tell(ctx, func(s *state) { s.lapse(time.Now()) }) }) }
	n.closer = append(n.closer, n.opts.Conn.OnDisconnect(lapse))
}

// leave tells the others that this node stops, so that one of them takes over
// at once.
func (n *Node) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), presentFor)
	defer cancel()
	_ = n.ask(ctx, func(s *state) {
		s.lead.leaving = true
		if s.leads() {
			s.stepDown()
		}
		s.lead.leader = ""
		s.say(nodeSubject, time.Now())
	})
	_ = n.nc.FlushWithContext(ctx)
}
