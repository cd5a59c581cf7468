package worker

import (
	"time"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/systems"
)

// Reached waits until every listener reached what is expected of an instance,
// or the bound is over, and returns when each did; zero is never.
func (s *Service) Reached(args ReachedArgs, times *[]clock.Instant) error {
	e := s.board.of(args.Key)
	if e == nil {
		return errNotExpected
	}
	timer := time.NewTimer(args.Within)
	defer timer.Stop()
	select {
	case <-e.done:
	case <-timer.C:
	}
	*times = e.instants()
	return nil
}

// ReachedArgs say what is waited for, and for how long.
type ReachedArgs struct {
	Key    systems.Key
	Within time.Duration
}

// A Census is what all tables of a worker hold, compared with what they should.
type Census struct {
	// Wrong is the number of tables that differ.
	Wrong int
	// Last is when any table changed last.
	Last clock.Instant
}

// CensusArgs are the truth, and how long tables have to come to it.
type CensusArgs struct {
	Truth  map[systems.Key]systems.State
	Within time.Duration
}

const (
	// look is how often tables are looked at, and quiet is how long they have
	// to go without a change before they are compared: comparing costs the
	// processor that they need to catch up.
	look  = 20 * time.Millisecond
	quiet = 100 * time.Millisecond
)

// Census waits until every table equals the truth, or the bound is over. The
// time of the last change does not depend on when that is noticed.
func (s *Service) Census(args CensusArgs, c *Census) error {
	deadline := clock.Now() + clock.Instant(args.Within)
	again := time.NewTicker(look)
	defer again.Stop()
	wrong, compared := s.listeners, clock.Instant(-1)
	for len(wrong) > 0 && clock.Now() < deadline {
		last := s.board.last()
		if last != compared && clock.Now().Sub(last) >= quiet {
			wrong, compared = differing(wrong, args.Truth), last
		}
		<-again.C
	}
	*c = Census{Wrong: len(differing(wrong, args.Truth)), Last: s.board.last()}
	return nil
}

func differing(all []systems.Listener, truth map[systems.Key]systems.State) []systems.Listener {
	var wrong []systems.Listener
	for _, l := range all {
		if differs(l, truth) {
			wrong = append(wrong, l)
		}
	}
	return wrong
}

func differs(l systems.Listener, truth map[systems.Key]systems.State) bool {
	listed := 0
	for k, state := range truth {
		if l.State(k) != state {
			return true
		}
		if state != systems.Absent {
			listed++
		}
	}
	return l.Len() != listed
}
