package registrytest

import (
	"time"

	"fairlead.dev/registry"
)

// An ear is one listener's updates, in order.
type ear struct {
	s       *suite
	updates chan registry.Update
	heard   *registry.Table // what the changes made of nothing
	stop    func()
}

func (s *suite) listen(service string) *ear {
	s.Helper()
	e := &ear{s: s, updates: make(chan registry.Update, 4096), heard: registry.NewTable(s.h.Realm, "")}
	stop, err := s.h.Source.Listen(registry.Interest{Realm: s.h.Realm, Service: service}, func(u registry.Update) {
		if u.Changes != nil {
			u.Changes = u.Changes.Clone()
		}
		e.updates <- u
	})
	if err != nil {
		s.Fatalf("listen: %v", err)
	}
	e.stop = stop
	s.Cleanup(stop)
	// What is asked after the listening began is answered after it took
	// effect: both go the same way.
	s.table()
	return e
}

// until hands updates to done until it is satisfied.
func (e *ear) until(what string, done func(registry.Update) bool) {
	e.s.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case u := <-e.updates:
			if done(u) {
				return
			}
		case <-timeout.C:
			e.s.Fatalf("not heard in %s: %s", patience, what)
		}
	}
}

// changes hands changes to done, one by one, until it is satisfied.
func (e *ear) changes(what string, done func(registry.Changes, registry.Change) bool) {
	e.s.Helper()
	e.until(what, func(u registry.Update) bool {
		if u.Changes == nil {
			return false
		}
		finished := false
		for _, c := range u.Changes.Changes {
			finished = done(*u.Changes, e.whole(u.Changes.Service, c)) || finished
		}
		return finished
	})
}

// whole returns a change of an instance's condition as one of its whole view,
// so that tests need not know how a registry tells of it. What was registered
// before the listening began is asked for.
func (e *ear) whole(service string, c registry.Change) registry.Change {
	edit := e.heard.Edit(service)
	if !edit.Apply(&c) {
		listed, _ := e.s.table().Service(service).Instance(c.Condition.ID)
		listed.Service, listed.ID = service, c.Condition.ID
		edit.Apply(&registry.Change{Revision: c.Previous, Instance: &listed})
		edit.Apply(&c)
	}
	e.heard = edit.Table()
	if c.Condition != nil {
		in, _ := e.heard.Service(service).Instance(c.Condition.ID)
		c.Instance, c.Condition = &in, nil
	}
	return c
}

// hear waits for a change of an instance that satisfies ok.
func (e *ear) hear(k registry.Key, what string, ok func(registry.Instance) bool) {
	e.s.Helper()
	e.changes(what, func(_ registry.Changes, c registry.Change) bool {
		return c.Instance != nil && c.Instance.Service == k.Service && c.Instance.ID == k.Instance && ok(*c.Instance)
	})
}
