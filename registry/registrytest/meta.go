package registrytest

import (
	"errors"
	"time"

	"fairlead.dev/registry"
)

var accounts = registry.Meta{
	Owner: "accounts", Description: "Who people are", Tags: []string{"core"},
	Policy: registry.Policy{Attempts: 2, Timeout: registry.Duration(2 * time.Second)},
	Rules: []registry.Rule{{
		PathPrefix: "/users", Header: registry.HeaderMatch{Name: "X-Cohort", Value: "early"},
		Split: []registry.Share{{Service: "identity", Weight: 95}, {Service: "identity-next", Weight: 5}},
	}},
}

func (s *suite) serviceKey(service string) registry.ServiceKey {
	return registry.ServiceKey{Realm: s.h.Realm, Service: service}
}

func (s *suite) setMeta(k registry.ServiceKey, m *registry.Meta) registry.Revision {
	s.Helper()
	revision, err := s.h.Atlas.SetMeta(s.context(), k, m, nil)
	if err != nil {
		s.Fatalf("set metadata of %s: %v", k, err)
	}
	return revision
}

func (s *suite) metaIsHeard() {
	k := s.serviceKey("identity")
	ear := s.listen("identity")
	revision := s.setMeta(k, &accounts)
	heard := func(what string, ok func(registry.Change) bool) {
		s.Helper()
		ear.changes(what, func(_ registry.Changes, c registry.Change) bool { return c.Meta != nil && ok(c) })
	}
	heard("the metadata", func(c registry.Change) bool {
		return c.Revision == revision.Sequence && c.Meta.Hash("") == accounts.Hash("")
	})
	if held := s.table().Service("identity"); held.Meta.Hash("") != accounts.Hash("") || held.MetaRevision != revision.Sequence {
		s.Errorf("listed: %+v", held)
	}
	if revision := s.setMeta(k, nil); revision.Sequence == 0 {
		s.Errorf("it was taken away at %s", revision)
	}
	heard("that it was taken away", func(c registry.Change) bool { return c.Meta.IsZero() })
	if revision := s.setMeta(k, nil); revision.Sequence != 0 {
		s.Errorf("there was none any more, and it was taken away at %s", revision)
	}
}

func (s *suite) metaOutlives() {
	k := s.key("identity", "a-1")
	s.setMeta(k.ServiceKey(), &accounts)
	if _, err := s.table().Service("identity").Candidates(); !errors.Is(err, registry.ErrNoSuchService) {
		s.Errorf("without an instance: %v", err)
	}
	lease := s.register(k, s.endpoint(), "life-1")
	s.must(s.h.Atlas.Deregister(s.context(), k, lease.Incarnation, lease.Token))
	s.register(k, s.endpoint(), "life-2")
	s.listed(k)
	if held := s.table().Service("identity"); held.Meta.Owner != accounts.Owner {
		s.Errorf("after an instance came, went and came: %+v", held)
	}
}

func (s *suite) metaExpects() {
	k := s.serviceKey("identity")
	set := func(m *registry.Meta, expect registry.Revision) (registry.Revision, error) {
		return s.h.Atlas.SetMeta(s.context(), k, m, &expect)
	}
	none := registry.Revision{Epoch: s.table().Revision.Epoch}
	first, err := set(&accounts, none)
	s.must(err)
	for name, expect := range map[string]registry.Revision{
		"none": none, "another sequence": {Epoch: first.Epoch, Sequence: first.Sequence + 1}, "another epoch": {Epoch: "other", Sequence: first.Sequence},
	} {
		if _, err := set(&registry.Meta{Owner: "ann"}, expect); !errors.Is(err, registry.ErrRevision) {
			s.Errorf("expecting %s: %v", name, err)
		}
	}
	second, err := set(&registry.Meta{Owner: "ann"}, first)
	s.must(err)
	_, err = set(nil, second)
	s.must(err)
	_, err = set(&accounts, none)
	s.must(err)
	_, err = s.h.Atlas.SetMeta(s.context(), k, &registry.Meta{Health: "health"}, nil)
	s.names(err, "health")
	_, err = s.h.Atlas.SetMeta(s.context(), s.serviceKey("Identity"), &accounts, nil)
	s.names(err, "service")
}
