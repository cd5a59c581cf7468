package memory

import (
	"context"
	"fmt"
	"time"

	"fairlead.dev/registry"
)

// Register implements [registry.Atlas].
func (r *Registry) Register(ctx context.Context, k registry.Key, reg registry.Registration, life registry.Life) (registry.Lease, error) {
	reg = reg.WithDefaults()
	if err := checkRegistration(k, reg, life); err != nil {
		return registry.Lease{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return registry.Lease{}, err
	}
	s := r.slot(k)
	if r.conflicts(s, reg, life) {
		return registry.Lease{}, fmt.Errorf("%w: %s is held by %s, refused %s", registry.ErrConflict, k, s.record.Registration.Endpoint(), reg.Endpoint())
	}
	r.enter(s, reg, life.WithDefaults())
	return r.leaseOf(s), nil
}

func checkRegistration(k registry.Key, reg registry.Registration, life registry.Life) error {
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	errs.Add(reg.Validate())
	errs.Add(life.Validate())
	return errs.Err()
}

// ready tells why a request cannot be answered now.
func (r *Registry) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.available()
}

// conflicts tells whether somebody else holds the key. The same life may move
// to another endpoint.
func (r *Registry) conflicts(s *slot, reg registry.Registration, life registry.Life) bool {
	if !s.leaseHolds(r.ttl) || s.record.Registration.SameEndpoint(reg) || s.holds(life.Incarnation, life.Token) {
		return false
	}
	return r.answers == nil || r.answers(s.record.Registration.Endpoint())
}

// enter makes a registration. The same incarnation coming again keeps when it
// came first.
func (r *Registry) enter(s *slot, reg registry.Registration, life registry.Life) {
	again := s.registered && s.record.Incarnation == life.Incarnation
	if !again {
		s.record.Since = time.Now()
	}
	s.registered, s.token = true, life.Token
	s.record.Registration, s.record.Incarnation, s.record.Status = reg, life.Incarnation, registry.Passing
	r.renew(s)
	r.write(s)
}

func (r *Registry) leaseOf(s *slot) registry.Lease {
	return registry.Lease{
		Incarnation: s.record.Incarnation, Token: s.token,
		Revision: r.revision(), Every: r.every, TTL: r.ttl,
	}
}

// Heartbeat implements [registry.Atlas].
func (r *Registry) Heartbeat(ctx context.Context, k registry.Key, beat registry.Heartbeat) error {
	if err := checkBeat(k, beat); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return err
	}
	return r.beat(k, beat)
}

// Beat implements [registry.Beater].
func (r *Registry) Beat(k registry.Key, beat registry.Heartbeat) error {
	if err := checkBeat(k, beat); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.available(); err != nil {
		return err
	}
	// Nobody would hear of a refusal.
	_ = r.beat(k, beat)
	return nil
}

func checkBeat(k registry.Key, beat registry.Heartbeat) error {
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	errs.Add(registry.ValidateReported(beat.Status))
	return errs.Err()
}

func (r *Registry) beat(k registry.Key, beat registry.Heartbeat) error {
	r.beats++
	s := r.slot(k)
	switch {
	case !s.registered:
		return fmt.Errorf("%w: %s", registry.ErrUnknown, k)
	case !s.holds(beat.Incarnation, beat.Token):
		return fmt.Errorf("%w: %s", registry.ErrStale, k)
	}
	r.renew(s)
	if s.record.Status != beat.Status {
		s.record.Status = beat.Status
		r.write(s)
	}
	return nil
}

// Deregister implements [registry.Atlas].
func (r *Registry) Deregister(ctx context.Context, k registry.Key, incarnation, token string) error {
	if err := k.Validate(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ready(ctx); err != nil {
		return err
	}
	s := r.slot(k)
	switch {
	case !s.registered:
		return nil
	case !s.holds(incarnation, token):
		return fmt.Errorf("%w: %s", registry.ErrStale, k)
	}
	r.leave(s)
	return nil
}

func (r *Registry) leave(s *slot) {
	s.registered = false
	s.lease.Stop()
	r.write(s)
}
