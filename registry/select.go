package registry

// tier orders the usable instances of a service: a request takes the best tier
// that has one, so a suspect is used only when nothing better is left.
func tier(s Status) int {
	switch s {
	case Passing:
		return 0
	case Warning:
		return 1
	case Suspect:
		return 2
	}
	return 3
}

const tiers = 4

// best returns the best tier that has a usable instance, tiers if none has.
func (s *Service) best() int {
	best := tiers
	for in := range s.Each() {
		if in.Usable() {
			best = min(best, tier(in.Status))
		}
	}
	return best
}

// A Standing is what selection makes of one instance among the others.
type Standing string

const (
	// Serving gets new requests.
	Serving Standing = "serving"
	// Spare gets none as long as there are better ones.
	Spare Standing = "spare"
	// SwitchedOff gets none: an operator disabled it.
	SwitchedOff Standing = "disabled"
	// Leaving gets none: it drains.
	Leaving Standing = "draining"
	// Aside gets none from one client, which has set it aside after failures.
	Aside Standing = "ejected"
	// Unlisted is in no table: nothing is registered.
	Unlisted Standing = "unlisted"
)

// standing is the decision on which all selection rests. best is the best
// tier that has a usable instance.
func (i *Instance) standing(best int) Standing {
	switch {
	case !i.Enabled:
		return SwitchedOff
	case i.Status == Draining:
		return Leaving
	case tier(i.Status) > best:
		return Spare
	}
	return Serving
}

// Usable tells whether an operator and the instance itself allow new requests
// to it at all, however unfit it may be.
func (i *Instance) Usable() bool { return i.standing(tiers) == Serving }

// Candidates returns the instances that a new request may use: those of the
// best tier that has any (passing, then warning, then suspect, then critical).
// Disabled and draining instances are never among them. The error is
// [ErrNoSuchService] when nothing is registered and [ErrNoneEnabled] when
// everything registered is disabled or draining.
//
// The result is a copy; choosing among it (zones, load, ejection) is the
// client's business.
func (s *Service) Candidates() ([]Instance, error) {
	candidate, err := s.Candidate()
	if err != nil {
		return nil, err
	}
	var list []Instance
	for in := range s.Each() {
		if candidate(in) {
			list = append(list, *in)
		}
	}
	return list, nil
}

// Candidate returns what tells of the service's instances, as [Service.Each]
// yields them, which are among the [Service.Candidates], with the same errors.
func (s *Service) Candidate() (func(*Instance) bool, error) {
	best := s.best()
	switch {
	case s.Len() == 0:
		return nil, ErrNoSuchService
	case best == tiers:
		return nil, ErrNoneEnabled
	}
	return func(in *Instance) bool { return in.standing(best) == Serving }, nil
}
