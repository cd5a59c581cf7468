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

// look is how often tables that differ are compared again. The time of the
// last change does not depend on it.
const look = 20 * time.Millisecond

// Census waits until every table equals the truth, or the bound is over.
func (s *Service) Census(args CensusArgs, c *Census) error {
	deadline := time.NewTimer(args.Within)
	defer deadline.Stop()
	again := time.NewTicker(look)
	defer again.Stop()
	wrong := s.listeners
	for {
		if wrong = differing(wrong, args.Truth); len(wrong) == 0 {
			break
		}
		select {
		case <-again.C:
			continue
		case <-deadline.C:
		}
		break
	}
	*c = Census{Wrong: len(wrong), Last: s.board.last()}
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
