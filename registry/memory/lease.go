package memory

import (
	"time"

	"fairlead.dev/registry"
)

// renew starts the lease anew.
func (r *Registry) renew(s *slot) {
	s.seen = time.Now()
	r.judgeIn(s, r.ttl)
}

func (r *Registry) judgeIn(s *slot, d time.Duration) {
	if s.lease == nil {
		s.lease = time.AfterFunc(d, func() { r.judge(s) })
		return
	}
	s.lease.Reset(d)
}

// judge ends a lease that was not renewed: what still answers stays as a
// suspect, all else goes. Nothing is judged while the registry is away.
func (r *Registry) judge(s *slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.available() != nil || r.slots[s.record.Key] != s || !s.registered || s.leaseHolds(r.ttl) {
		return
	}
	if r.answers == nil || !r.answers(s.record.Registration.Endpoint()) {
		r.leave(s)
		return
	}
	if s.record.Status != registry.Suspect {
		s.record.Status = registry.Suspect
		r.write(s)
	}
	r.judgeIn(s, r.every)
}
