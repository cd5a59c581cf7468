package registry

// Snapshot returns everything of an interest as of the table's revision.
func (t *Table) Snapshot(interest Interest) Snapshot {
	s := Snapshot{Revision: t.Revision, Realm: t.Realm, Services: []ServiceSnapshot{}}
	if interest.Service != "" {
		if service := t.Service(interest.Service); service != nil {
			s.Services = append(s.Services, service.snapshot())
		}
		return s
	}
	for service := range t.Services() {
		s.Services = append(s.Services, service.snapshot())
	}
	return s
}

// Table returns the table that a snapshot makes, with no time of confirmation.
func (s Snapshot) Table() *Table {
	return NewTable(s.Realm, s.Revision.Epoch).WithServices(s.Services).At(s.Revision)
}

func (s *Service) snapshot() ServiceSnapshot {
	return ServiceSnapshot{
		Name: s.Name, Revision: s.Revision, Instances: s.Instances(),
		Meta: s.Meta, MetaRevision: s.MetaRevision,
	}
}

// Digest returns what a listener of a service should hold, or with an empty
// service a listener of the whole realm.
func (t *Table) Digest(service string) Digest {
	d := Digest{Epoch: t.Revision.Epoch, Realm: t.Realm, Service: service}
	if service == "" {
		d.Revision, d.Hash = t.Revision.Sequence, FormatHash(t.Hash())
		return d
	}
	s := t.Service(service)
	d.Hash = FormatHash(s.Hash())
	if s != nil {
		d.Revision = s.Revision
	}
	return d
}
