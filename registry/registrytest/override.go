package registrytest

import (
	"errors"
	"strings"
	"time"

	"fairlead.dev/registry"
)

func (s *suite) setFlag(k registry.Key, f *registry.Flag) registry.Revision {
	s.Helper()
	revision, err := s.h.Atlas.SetFlag(s.context(), k, f)
	if err != nil {
		s.Fatalf("set flag of %s: %v", k, err)
	}
	return revision
}

func (s *suite) flagBefore() {
	k := s.key("identity", "a-1")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	s.setFlag(k, &registry.Flag{Owner: "ana", Reason: "not yet", Until: until})
	s.notListed(k)
	s.register(k, s.endpoint(), "life-1")
	in := s.listed(k)
	if in.Enabled || in.Owner != "ana" || in.Reason != "not yet" || !in.Until.Equal(until) {
		s.Errorf("listed: %+v", in)
	}
}

func (s *suite) flagSurvives() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	first := s.register(k, r, "life-1")
	revision := s.setFlag(k, &registry.Flag{Reason: "broken disk"})
	if revision.Epoch != first.Revision.Epoch || revision.Sequence <= first.Revision.Sequence {
		s.Errorf("flag at %s does not follow the registration at %s", revision, first.Revision)
	}
	s.must(s.h.Atlas.Deregister(s.context(), k, first.Incarnation, first.Token))
	s.register(k, r, "life-2")
	if in := s.listed(k); in.Enabled || in.Reason != "broken disk" {
		s.Errorf("after a new life: %+v", in)
	}
	if revision := s.setFlag(k, nil); revision.Sequence == 0 {
		s.Errorf("the flag was taken away at %s", revision)
	}
	if in := s.listed(k); !in.Enabled || in.Reason != "" {
		s.Errorf("after the flag was taken away: %+v", in)
	}
	if revision := s.setFlag(k, nil); revision.Sequence != 0 {
		s.Errorf("there was no flag any more, and it was taken away at %s", revision)
	}
}

func (s *suite) weightOverrides() {
	k, r := s.key("identity", "a-1"), s.endpoint()
	r.Weight = 50
	s.register(k, r, "life-1")
	for _, c := range []struct {
		set  *registry.Weight
		want int
	}{{&registry.Weight{Weight: 700}, 700}, {nil, 50}} {
		if _, err := s.h.Atlas.SetWeight(s.context(), k, c.set); err != nil {
			s.Fatal(err)
		}
		if in := s.listed(k); in.Weight != c.want {
			s.Errorf("weight %d, expected %d", in.Weight, c.want)
		}
	}
}

func (s *suite) drainDrains() {
	k := s.key("identity", "a-1")
	lease := s.register(k, s.endpoint(), "life-1")
	if _, err := s.h.Atlas.SetDrain(s.context(), k, &registry.Drain{Drain: true}); err != nil {
		s.Fatal(err)
	}
	s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Passing)))
	if in := s.listed(k); in.Status != registry.Draining || in.Usable() {
		s.Errorf("drained: %+v", in)
	}
	if _, err := s.h.Atlas.SetDrain(s.context(), k, nil); err != nil {
		s.Fatal(err)
	}
	if in := s.listed(k); in.Status != registry.Passing || !in.Usable() {
		s.Errorf("after the drain was taken away: %+v", in)
	}
}

func (s *suite) invalidInput() {
	good, r := s.key("identity", "a-1"), s.endpoint()
	lease := s.register(good, r, "life-1")
	with := func(change func(*registry.Registration)) registry.Registration {
		r := r
		change(&r)
		return r
	}
	inputs := []struct {
		field string
		k     registry.Key
		r     registry.Registration
	}{
		{"service", s.key("Identity", "a-1"), r},
		{"service", s.key("*", "a-1"), r},
		{"instance", s.key("identity", "a.1"), r},
		{"instance", s.key("identity", ">"), r},
		{"instance", s.key("identity", "a 1\r\nX: y"), r},
		{"realm", registry.Key{Realm: strings.Repeat("r", 300), Service: "identity", Instance: "a-1"}, r},
		{"host", good, with(func(r *registry.Registration) { r.Host = "" })},
		{"host", good, with(func(r *registry.Registration) { r.Host = "169.254.169.254" })},
		{"port", good, with(func(r *registry.Registration) { r.Port = 0 })},
		{"port", good, with(func(r *registry.Registration) { r.Port = 70000 })},
		{"scheme", good, with(func(r *registry.Registration) { r.Scheme = "ftp" })},
		{"weight", good, with(func(r *registry.Registration) { r.Weight = -1 })},
		{"health", good, with(func(r *registry.Registration) { r.Health = "health" })},
	}
	before := s.table()
	for _, in := range inputs {
		_, err := s.h.Atlas.Register(s.context(), in.k, in.r, registry.Life{Incarnation: "life-2"})
		s.names(err, in.field)
	}
	_, err := s.h.Atlas.SetFlag(s.context(), good, &registry.Flag{Reason: strings.Repeat("x", 10_000)})
	s.names(err, "reason")
	_, err = s.h.Atlas.SetWeight(s.context(), good, &registry.Weight{Weight: 5000})
	s.names(err, "weight")
	s.names(s.h.Atlas.Heartbeat(s.context(), good, beat(lease, "splendid")), "status")
	if after := s.table(); after.Hash() != before.Hash() || after.Len() != before.Len() {
		s.Errorf("invalid input changed something: %+v", after)
	}
}

// names checks that an error is a field error of one line about a field.
func (s *suite) names(err error, field string) {
	s.Helper()
	var many registry.FieldErrors
	var one *registry.FieldError
	switch {
	case errors.As(err, &many):
		one = many[0]
	case !errors.As(err, &one):
		s.Errorf("%s: error is no field error: %v", field, err)
		return
	}
	if one.Field != field || one.Problem == "" || strings.ContainsAny(err.Error(), "\r\n") {
		s.Errorf("%s: error is %q of field %q", field, err, one.Field)
	}
}
