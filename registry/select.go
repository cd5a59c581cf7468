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

// Candidates returns the instances that a new request may use: those of the
// best tier that has any (passing, then warning, then suspect, then critical).
// Disabled and draining instances are never among them. The error is
// [ErrNoSuchService] when nothing is registered and [ErrNoneEnabled] when
// everything registered is disabled or draining.
//
// The result is a copy; choosing among it (zones, load, ejection) is the
// client's business.
func (s *Service) Candidates() ([]Instance, error) {
	if s.Len() == 0 {
		return nil, ErrNoSuchService
	}
	var byTier [tiers][]Instance
	for in := range s.All() {
		if in.Usable() {
			t := tier(in.Status)
			byTier[t] = append(byTier[t], in)
		}
	}
	for _, list := range byTier {
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, ErrNoneEnabled
}
