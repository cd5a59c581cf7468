package registrytest

import (
	"fmt"
	"sync"

	"fairlead.dev/registry"
)

// stir makes changes of every kind to a service.
func (s *suite) stir(service string, rounds int) {
	s.Helper()
	r := s.endpoint()
	for i := range rounds {
		k := s.key(service, fmt.Sprintf("a-%d", i%3))
		lease := s.register(k, r, fmt.Sprintf("life-%d", i))
		s.setFlag(k, &registry.Flag{Enabled: i%2 == 0, Reason: fmt.Sprint(i)})
		s.must(s.h.Atlas.Heartbeat(s.context(), k, beat(lease, registry.Warning)))
		if i%3 == 2 {
			s.must(s.h.Atlas.Deregister(s.context(), k, lease.Incarnation, lease.Token))
		}
	}
}

// mark registers an instance that tells a listener that all before it is told.
func (s *suite) mark(service string) registry.Key {
	s.Helper()
	k := s.key(service, "mark")
	s.register(k, s.endpoint(), "mark")
	return k
}

func (s *suite) changesChain() {
	s.register(s.key("identity", "before"), s.endpoint(), "")
	ear := s.listen("identity")
	held := s.table().Service("identity").Revision
	s.stir("identity", 6)
	mark := s.mark("identity")
	count := 0
	ear.changes("the mark", func(_ registry.Changes, c registry.Change) bool {
		count++
		if c.Previous != held || c.Revision <= held {
			s.Fatalf("change %d follows %d, held is %d", c.Revision, c.Previous, held)
		}
		held = c.Revision
		return c.Instance != nil && c.Instance.ID == mark.Instance
	})
	if count < 10 {
		s.Errorf("heard %d changes, expected one for each write but for conditions that did not last", count)
	}
}

func (s *suite) snapshotEqualsChanges() {
	ear := s.listen("")
	s.stir("identity", 6)
	s.stir("billing", 4)
	s.mark("identity")
	s.mark("billing")
	built, marks := registry.NewTable(s.h.Realm, ""), 0
	ear.changes("both marks", func(all registry.Changes, c registry.Change) bool {
		if c.Instance == nil {
			built = built.WithoutInstance(all.Service, c.Gone, c.Revision)
			return false
		}
		built = built.WithInstance(*c.Instance)
		if c.Instance.ID == "mark" {
			marks++
		}
		return marks == 2
	})
	for service := range s.table().Services() {
		if mine := built.Service(service.Name); mine.Hash() != service.Hash() || mine.Revision != service.Revision {
			s.Errorf("%s: changes built %+v\nsnapshot has %+v", service.Name, mine, service)
		}
	}
}

func (s *suite) listenThenSnapshot() {
	r := s.endpoint()
	var writer sync.WaitGroup
	ctx := s.context()
	errs := make([]error, 100)
	writer.Go(func() {
		for i := range errs {
			_, errs[i] = s.h.Atlas.Register(ctx, s.key("identity", fmt.Sprintf("a-%d", i)), r, registry.Life{})
		}
	})
	ear := s.listen("identity")
	mine := s.table()
	writer.Wait()
	for _, err := range errs {
		s.must(err)
	}
	mark := s.mark("identity")
	ear.changes("the mark", func(all registry.Changes, c registry.Change) bool {
		if c.Revision > mine.Revision.Sequence && c.Instance != nil {
			mine = mine.WithInstance(*c.Instance)
		}
		return c.Instance != nil && c.Instance.ID == mark.Instance
	})
	if truth := s.table(); mine.Hash() != truth.Hash() {
		s.Errorf("snapshot and changes gave %d instances, the registry has %d", mine.Len(), truth.Len())
	}
}

func (s *suite) hearsOnlyItsOwn() {
	ear := s.listen("billing")
	s.register(s.key("identity", "a-1"), s.endpoint(), "")
	s.mark("billing")
	ear.changes("the mark", func(all registry.Changes, c registry.Change) bool {
		if all.Service != "billing" || all.Realm != s.h.Realm || all.Epoch == "" {
			s.Errorf("heard %+v", all)
		}
		return c.Instance != nil && c.Instance.ID == "mark"
	})
}

func (s *suite) stoppedHearsNothing() {
	ear, other := s.listen("identity"), s.listen("identity")
	ear.stop()
	ear.stop() // stopping again does nothing
	for len(ear.updates) > 0 {
		<-ear.updates
	}
	s.mark("identity")
	other.hear(s.key("identity", "mark"), "the mark", func(registry.Instance) bool { return true })
	if len(ear.updates) > 0 {
		s.Errorf("heard after the stop: %+v", <-ear.updates)
	}
}

func (s *suite) digestHash() {
	for _, service := range []string{"identity", ""} {
		ear := s.listen(service)
		s.stir("identity", 3)
		want := s.table().Digest(service)
		if s.h.PublishDigest != nil {
			s.h.PublishDigest()
		}
		ear.until("the digest "+want.Hash, func(u registry.Update) bool {
			d := u.Digest
			return d != nil && d.Realm == s.h.Realm && d.Service == service &&
				d.Epoch == want.Epoch && d.Hash == want.Hash && d.Revision >= want.Revision
		})
	}
}
