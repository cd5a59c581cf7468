package atlas

import "context"

// A lease is probed when its heartbeats are late, or at once when its
// connection closed. Those wait in two queues, so that who was killed need not
// wait behind many that are silent, and however many there are, few goroutines
// ask at a time.

// What is asked at a time keeps a mass loss from turning into a storm. There is
// more room for those whose connection closed: the dead among them refuse
// within a millisecond, the silent ones take up room for a second.
const (
	lateAtOnce   = 64
	urgentAtOnce = 256
)

// A probeQueue holds leases that wait to be probed, and counts those that are.
type probeQueue struct {
	most    int
	waiting []*lease
	running int
}

// probeStage is where a lease stands.
type probeStage int8

const (
	notProbed probeStage = iota
	queuedLate
	queuedUrgent
	beingProbed
)

// probe has an instance asked that has not been heard for long.
func (s *state) probe(ctx context.Context, l *lease) {
	if !s.leads() || l.stage != notProbed {
		return
	}
	l.stage = queuedLate
	s.late.waiting = append(s.late.waiting, l)
	s.admit(ctx, &s.late, queuedLate)
}

// probeAtOnce has an instance asked whose connection closed.
func (s *state) probeAtOnce(ctx context.Context, l *lease) {
	if !s.leads() || l.stage == queuedUrgent || l.stage == beingProbed {
		return
	}
	l.stage = queuedUrgent
	s.urgent.waiting = append(s.urgent.waiting, l)
	s.admit(ctx, &s.urgent, queuedUrgent)
}

// admit probes as many as there is room for. Who was moved to the other queue,
// was heard meanwhile or is gone is passed over, and so are all once another node
// leads.
func (s *state) admit(ctx context.Context, q *probeQueue, stage probeStage) {
	for q.running < q.most && len(q.waiting) > 0 {
		l := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		if l.stage != stage {
			continue
		}
		l.stage = notProbed
		overdue := s.node.momentNow().since(l.seen()) >= s.node.opts.Terms.late()
		if s.leads() && s.holds(l) && (stage == queuedUrgent || overdue) {
			s.launch(ctx, q, l, stage)
		}
	}
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
}

// launch asks in a goroutine that reports back.
func (s *state) launch(ctx context.Context, q *probeQueue, l *lease, stage probeStage) {
	l.stage = beingProbed
	q.running++
	r, asked := l.record.Load(), l.seen()
	s.node.work.Go(func() {
		found, detail := s.node.prober.probe(ctx, l.key, r)
		s.node.tell(ctx, func(s *state) {
			q.running--
			l.stage = notProbed
			s.probed(ctx, l, r, asked, found, detail)
			s.admit(ctx, q, stage)
		})
	})
}
