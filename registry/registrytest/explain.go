package registrytest

import (
	"slices"
	"time"

	"fairlead.dev/registry"
)

func (s *suite) factsTell() {
	if s.h.Explainer == nil {
		return
	}
	here, waiting, elsewhere := s.key("identity", "b-1"), s.key("identity", "a-1"), s.key("mail", "a-1")
	s.register(here, s.endpoint(), "life-1")
	s.register(elsewhere, s.endpoint(), "life-2")
	_, err := s.h.Atlas.SetWeight(s.context(), here, &registry.Weight{Weight: 5, Owner: "ana", Reason: "canary"})
	s.must(err)
	s.setFlag(waiting, &registry.Flag{Owner: "ana", Reason: "not yet"})
	facts, err := s.h.Explainer.Facts(s.context(), here.ServiceKey())
	s.must(err)
	var ids []string
	for _, f := range facts.Instances {
		ids = append(ids, f.Instance)
	}
	if !slices.Equal(ids, []string{"a-1", "b-1"}) || facts.Revision.Epoch == "" {
		s.Fatalf("facts are of %v as of %s", ids, facts.Revision)
	}
	if f := facts.Instances[0]; f.Registered || f.Flag == nil || f.Flag.Owner != "ana" || f.LeaseLeftMS != 0 {
		s.Errorf("of what waits: %+v", f)
	}
	f := facts.Instances[1]
	if !f.Registered || f.Weight == nil || f.Weight.Reason != "canary" || f.Reported != registry.Passing {
		s.Errorf("of what is registered: %+v", f)
	}
	if most := (10 * time.Second).Milliseconds(); f.LeaseLeftMS <= 0 || f.LeaseLeftMS > most || f.HeartbeatAgeMS < 0 || f.HeartbeatAgeMS > most {
		s.Errorf("the lease has %d ms left, the last heartbeat is %d ms old", f.LeaseLeftMS, f.HeartbeatAgeMS)
	}
	_, err = s.h.Explainer.Facts(s.context(), registry.ServiceKey{Realm: s.h.Realm, Service: "a.b"})
	s.names(err, "service")
}
