package registrytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"fairlead.dev/registry"
)

func (s *suite) registrationIsListed() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	r.Metadata, r.Version, r.Zone = map[string]string{"git": "4f2a"}, "1.4.2", "a"
	lease := s.register(k, r, "life-1")
	if lease.Incarnation != "life-1" || lease.Token == "" || lease.Revision.Epoch == "" || lease.Revision.Sequence == 0 {
		s.Errorf("lease lacks something: %+v", lease)
	}
	if lease.Every <= 0 || lease.TTL < 2*lease.Every {
		s.Errorf("lease lasts %s with a heartbeat every %s", lease.TTL, lease.Every)
	}
	in := s.listed(k)
	want := registry.Instance{
		Service: "identity", ID: "a-1", Scheme: "http", Host: r.Host, Port: r.Port,
		Version: "1.4.2", Zone: "a", Weight: registry.DefaultWeight, Metadata: r.Metadata,
		Incarnation: "life-1", Status: registry.Passing, Enabled: true,
	}
	if in.Revision != lease.Revision.Sequence || in.Since.IsZero() {
		s.Errorf("listed at revision %d since %s, registered at %s", in.Revision, in.Since, lease.Revision)
	}
	want.Since = in.Since
	if in.Hash() != want.Hash() {
		s.Errorf("listed  %+v\nexpected %+v", in, want)
	}
}

func (s *suite) incarnationIsRandom() {
	r := s.endpoint()
	a := s.register(s.key("identity", "a-1"), r, "")
	b := s.register(s.key("identity", "b-1"), r, "")
	if a.Incarnation == "" || a.Incarnation == b.Incarnation || a.Token == b.Token {
		s.Errorf("leases are not told apart: %+v and %+v", a, b)
	}
}

func (s *suite) newLifeReplaces() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	first := s.register(k, r, "life-1")
	r.Version = "2"
	second := s.register(k, r, "life-2")
	if second.Revision.Sequence <= first.Revision.Sequence || second.Token == first.Token {
		s.Errorf("second lease %+v does not follow the first %+v", second, first)
	}
	if in := s.listed(k); in.Incarnation != "life-2" || in.Version != "2" {
		s.Errorf("listed: %+v", in)
	}
}

// A registrant whose answer was lost asks again, and the first request may be
// carried out after the second: whichever is last, the lease is the same.
func (s *suite) repeatedLife() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	life := registry.Life{Incarnation: "life-1", Token: "a-token-of-its-own"}
	var answers sync.WaitGroup
	for range 8 {
		answers.Go(func() {
			lease, err := s.h.Atlas.Register(s.context(), k, r, life)
			if err != nil || lease.Incarnation != life.Incarnation || lease.Token != life.Token {
				s.Errorf("lease %+v, %v", lease, err)
			}
		})
	}
	answers.Wait()
	s.must(s.h.Atlas.Heartbeat(s.context(), k, registry.Heartbeat{
		Incarnation: life.Incarnation, Token: life.Token, Status: registry.Draining,
	}))
	if in := s.listed(k); in.Status != registry.Draining {
		s.Errorf("listed: %+v", in)
	}
}

// Everybody can read an incarnation in the table.
func (s *suite) incarnationIsPublic() {
	k, held := s.key("identity", "a-1"), s.endpoint()
	s.register(k, held, "life-1")
	_, err := s.h.Atlas.Register(s.context(), k, s.endpoint(), registry.Life{Incarnation: "life-1"})
	if !errors.Is(err, registry.ErrConflict) {
		s.Fatalf("moving an id by its incarnation: %v", err)
	}
	if in := s.listed(k); in.Port != held.Port {
		s.Errorf("listed: %+v", in)
	}
}

func (s *suite) lifeMoves() {
	k, to := s.key("identity", "a-1"), s.endpoint()
	s.register(k, s.endpoint(), "life-1")
	s.register(k, to, "life-1")
	if in := s.listed(k); in.Port != to.Port {
		s.Errorf("listed: %+v", in)
	}
}

func (s *suite) shortToken() {
	_, err := s.h.Atlas.Register(s.context(), s.key("identity", "a-1"), s.endpoint(), registry.Life{Token: "short"})
	var fields registry.FieldErrors
	if !errors.As(err, &fields) || fields[0].Field != "token" {
		s.Errorf("got %v", err)
	}
}

func (s *suite) conflictNamesBoth() {
	k, held, other := s.key("identity", "a-1"), s.endpoint().WithDefaults(), s.endpoint().WithDefaults()
	lease := s.register(k, held, "life-1")
	_, err := s.h.Atlas.Register(s.context(), k, other, registry.Life{Incarnation: "life-2"})
	if !errors.Is(err, registry.ErrConflict) {
		s.Fatalf("registering another endpoint: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, held.Endpoint()) || !strings.Contains(text, other.Endpoint()) {
		s.Errorf("error names not both %s and %s: %s", held.Endpoint(), other.Endpoint(), text)
	}
	if in := s.listed(k); in.Port != held.Port {
		s.Errorf("listed: %+v", in)
	}
	s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Passing)))
}

func (s *suite) heartbeatOfUnknown() {
	k := s.key("identity", "a-1")
	err := s.h.Atlas.Heartbeat(s.context(), k, registry.Heartbeat{Incarnation: "life-1", Token: "t", Status: registry.Passing})
	if !errors.Is(err, registry.ErrUnknown) {
		s.Errorf("heartbeat: %v", err)
	}
	s.notListed(k)
}

func (s *suite) wrongToken() {
	k := s.key("identity", "a-1")
	lease := s.register(k, s.endpoint(), "life-1")
	lease.Token = "forged"
	if err := s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Critical)); !errors.Is(err, registry.ErrStale) {
		s.Errorf("heartbeat: %v", err)
	}
	if err := s.h.Atlas.Deregister(s.context(), k, lease.Incarnation, lease.Token); !errors.Is(err, registry.ErrStale) {
		s.Errorf("deregister: %v", err)
	}
	if in := s.listed(k); in.Status != registry.Passing {
		s.Errorf("listed: %+v", in)
	}
}

func (s *suite) lateMessages() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	old := s.register(k, r, "life-1")
	now := s.register(k, r, "life-2")
	before := s.table().Hash()
	if err := s.h.Atlas.Heartbeat(s.context(), k, beat(old, registry.Draining)); !errors.Is(err, registry.ErrStale) {
		s.Errorf("late heartbeat: %v", err)
	}
	s.must(s.h.Beater.Beat(k, beat(old, registry.Draining)))
	if err := s.h.Atlas.Deregister(s.context(), k, old.Incarnation, old.Token); !errors.Is(err, registry.ErrStale) {
		s.Errorf("late deregistration: %v", err)
	}
	s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(now, registry.Passing)))
	if after := s.table().Hash(); after != before {
		s.Errorf("listed: %+v", s.listed(k))
	}
}

func (s *suite) deregisterTwice() {
	k := s.key("identity", "a-1")
	lease := s.register(k, s.endpoint(), "life-1")
	for range 2 {
		s.must(s.h.Atlas.Deregister(s.context(), k, lease.Incarnation, lease.Token))
		s.notListed(k)
	}
}

func (s *suite) heartbeatsReport() {
	k := s.key("identity", "a-1")
	lease := s.register(k, s.endpoint(), "life-1")
	ear := s.listen("identity")
	s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Warning)))
	if in := s.listed(k); in.Status != registry.Warning {
		s.Errorf("listed: %+v", in)
	}
	s.must(s.h.Beater.Beat(k, beat(lease, registry.Critical)))
	ear.hear(k, "the critical status", func(in registry.Instance) bool { return in.Status == registry.Critical })
	s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Passing)))
	ear.hear(k, "the passing status", func(in registry.Instance) bool { return in.Status == registry.Passing })
}

func (s *suite) concurrentRegistrars() {
	const count = 64
	r := s.endpoint()
	ctx := s.context()
	var all sync.WaitGroup
	errs := make([]error, count)
	for i := range count {
		all.Go(func() {
			_, errs[i] = s.h.Atlas.Register(ctx, s.key("identity", fmt.Sprintf("a-%d", i)), r, registry.Life{})
		})
	}
	all.Wait()
	s.must(errors.Join(errs...))
	if n := s.table().Service("identity").Len(); n != count {
		s.Errorf("%d of %d are listed", n, count)
	}
}

func (s *suite) canceled() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.h.Atlas.Register(ctx, s.key("identity", "a-1"), s.endpoint(), registry.Life{}); !errors.Is(err, context.Canceled) {
		s.Errorf("register: %v", err)
	}
	if _, err := s.h.Source.Snapshot(ctx, registry.Interest{Realm: s.h.Realm}); !errors.Is(err, context.Canceled) {
		s.Errorf("snapshot: %v", err)
	}
}
