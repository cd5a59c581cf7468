package sidecar

import (
	"time"

	"fairlead.dev/registry"
)

// A Status is what a sidecar tells of itself.
type Status struct {
	// Applied is the revision of the table that the plane carries; its epoch
	// is empty as long as there is none.
	Applied   registry.Revision `json:"applied"`
	AppliedAt time.Time         `json:"applied_at,omitzero"`
	// Services and Instances count what the applied table has.
	Services  int `json:"services"`
	Instances int `json:"instances"`
	// Offered is the revision of the table that the plane was given last.
	Offered registry.Revision `json:"offered"`
	// AgeMS is how long ago the current table was confirmed, by Source.
	AgeMS  int64                `json:"age_ms"`
	Source registry.TableSource `json:"source,omitempty"`
	// Failures counts the tables refused since the last one that was taken,
	// and LastError says why the last of them was.
	Failures  int    `json:"failures,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// Carrying tells whether the plane carries the newest table it was given.
func (s Status) Carrying() bool { return !s.AppliedAt.IsZero() && s.Failures == 0 }

// Status may be called at any time, concurrently with Run.
func (s *Sidecar) Status() Status {
	table, _ := s.watcher.Table()
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Source = table.Source
	if !table.Updated.IsZero() {
		status.AgeMS = time.Since(table.Updated).Milliseconds()
	}
	return status
}

// record notes the outcome of one Apply and returns the status before it.
func (s *Sidecar) record(table *registry.Table, err error) (before Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.status
	s.status.Offered = table.Revision
	if err != nil {
		s.status.Failures++
		s.status.LastError = err.Error()
		return before
	}
	s.status = Status{
		Applied: table.Revision, AppliedAt: time.Now(), Offered: table.Revision,
		Services: countServices(table), Instances: table.Len(),
	}
	return before
}

func countServices(table *registry.Table) (n int) {
	for range table.Services() {
		n++
	}
	return n
}
