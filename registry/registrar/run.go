package registrar

import (
	"context"
	"errors"
	"time"

	"fairlead.dev/registry"
)

// state belongs to the registrar's goroutine.
type state struct {
	lease    registry.Lease
	held     bool
	beats    int // since the lease was got
	failures int
	reported registry.Status
	beatAt   time.Time
	lastLog  string
}

// paused tells whether so long has passed since the last heartbeat that this
// process cannot have been running: the registry may have given it up.
func (s *state) paused(now time.Time) bool {
	paused := !s.beatAt.IsZero() && now.Sub(s.beatAt) > 2*s.lease.Every
	s.beatAt = now
	return paused
}

func (r *Registrar) run() {
	defer close(r.done)
	if r.opts.OnConnect != nil {
		defer r.opts.OnConnect(r.reconnected)()
	}
	var s state
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
			if !r.urgent(&s) {
				continue
			}
		case <-timer.C:
		}
		p := r.step(&s)
		if r.ctx.Err() != nil {
			return
		}
		timer.Reset(p.delay)
	}
}

// reconnected is called by the bus. Whatever is being asked will not be
// answered any more, and the registry may have forgotten us meanwhile.
func (r *Registrar) reconnected() {
	r.reconn.Store(true)
	r.inflight.interrupt()
	r.Poke()
}

// urgent tells whether a wake-up is a reason to act before the timer says so.
func (r *Registrar) urgent(s *state) bool {
	status, _, _ := r.health()
	return r.reconn.Load() || r.draining.Load() || s.held && status != s.reported
}

// step registers or beats once, and tells what comes next.
func (r *Registrar) step(s *state) plan {
	if r.draining.Load() && !s.held {
		r.drained.settle(nil)
		return plan{delay: conflictPace} // leaving: nothing more to say
	}
	reconnected := r.reconn.Swap(false)
	if !s.held {
		return r.register(s)
	}
	return r.heartbeat(s, reconnected)
}

func (r *Registrar) register(s *state) plan {
	err := r.inflight.do(r.ctx, func(ctx context.Context) (err error) {
		s.lease, err = r.opts.Atlas.Register(ctx, r.opts.Key, r.opts.Registration, r.life)
		return err
	})
	s.count(err)
	if s.lease.Every <= 0 {
		s.lease.Every = everyDefault
	}
	p := afterRegister(err, s.lease.Every, s.failures)
	r.noteProblem(err)
	r.logRegister(s, err)
	s.held = p.held
	if p.held {
		s.beats, s.reported, s.beatAt = 0, registry.Passing, time.Now()
		lease := s.lease
		r.lease.Store(&lease)
	}
	r.tellFirst(err) // whoever waits for it finds the lease
	if status, _, _ := r.health(); p.held && status != registry.Passing {
		p.delay = 0 // a registration counts as passing until told otherwise
	}
	return p
}

func (r *Registrar) heartbeat(s *state, reconnected bool) plan {
	status, inFlight, load := r.health()
	beat := registry.Heartbeat{
		Incarnation: s.lease.Incarnation, Token: s.lease.Token,
		Status: status, InFlight: inFlight, Load: load,
	}
	s.beats++
	err := r.send(s, beat, s.paused(time.Now()) || reconnected)
	s.count(err)
	p := afterHeartbeat(err, s.lease.Every, s.failures)
	s.held = p.held
	if !p.held {
		r.lease.Store(nil)
	}
	r.logHeartbeat(s, err)
	return p
}

func (r *Registrar) send(s *state, beat registry.Heartbeat, doubtful bool) error {
	if r.opts.Beater != nil && !asks(s.beats, doubtful, s.failures, s.reported, beat.Status) {
		return r.opts.Beater.Beat(r.opts.Key, beat)
	}
	err := r.inflight.do(r.ctx, func(ctx context.Context) error {
		return r.opts.Atlas.Heartbeat(ctx, r.opts.Key, beat)
	})
	if err != nil {
		r.drained.note(err)
		return err
	}
	s.reported = beat.Status
	if beat.Status == registry.Draining && r.draining.Load() {
		r.drained.settle(nil)
	}
	return nil
}

// health asks the program. A status that an instance cannot report is a
// mistake of the program's, and no reason to send it requests.
func (r *Registrar) health() (registry.Status, int, float64) {
	status, inFlight, load := r.opts.Health()
	switch {
	case r.draining.Load():
		status = registry.Draining
	case registry.ValidateReported(status) != nil:
		status = registry.Critical
	}
	return status, inFlight, load
}

// noteProblem keeps why a registration failed until another one says otherwise,
// for [Registrar.Problem]. One that a new connection cut short says nothing.
func (r *Registrar) noteProblem(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	r.problem.Store(&err)
}

// tellFirst settles Registered: a refusal is told at once, an absent registry
// is waited for.
func (r *Registrar) tellFirst(err error) {
	if err == nil || isInvalid(err) || errors.Is(err, registry.ErrConflict) {
		r.first.settle(err)
		return
	}
	select {
	case <-r.first.settled:
	default:
		r.first.note(err)
	}
}

func (s *state) count(err error) {
	if err == nil {
		s.failures = 0
		return
	}
	s.failures++
}
