package sidecar

import (
	"fmt"
	"os"
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
	// ApplyingMS is for how long the plane has been at work on what it is
	// offered, 0 when it is not.
	ApplyingMS int64 `json:"applying_ms,omitempty"`
	// Ended tells that the plane does not run, any more or yet.
	Ended bool `json:"ended,omitempty"`

	// Plane is what the data plane tells of itself.
	Plane PlaneStatus `json:"plane,omitzero"`
	// PID and Version are those of the sidecar's process, which began at Since.
	PID     int       `json:"pid"`
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Problems say why the plane does not carry the table; none if it does.
	Problems []string `json:"problems,omitempty"`
}

// Carrying tells whether the plane carries the newest table it was given.
func (s Status) Carrying() bool { return len(s.problems()) == 0 }

// slowAfter is how long a plane may work on a table before it counts as stuck.
// A reload of HAProxy, the slowest of what is normal, takes a second or two.
const slowAfter = 5 * time.Second

// problems decides whether the plane carries the table, and why not.
func (s Status) problems() (all []string) {
	if s.Ended {
		all = append(all, "the data plane does not run")
	}
	if s.Plane.Problem != "" {
		all = append(all, s.Plane.Problem)
	}
	switch slow := time.Duration(s.ApplyingMS) * time.Millisecond; {
	case s.Failures > 0:
		all = append(all, fmt.Sprintf("the data plane refused the table at revision %s, %d times in a row: %s", s.Offered, s.Failures, s.LastError))
	case slow > slowAfter:
		all = append(all, fmt.Sprintf("the data plane has been working on the table for %s; it carries revision %s", slow.Round(time.Second), s.Applied))
	case s.AppliedAt.IsZero():
		all = append(all, "the data plane does not carry the table yet")
	}
	return all
}

// Status may be called at any time, concurrently with Run.
func (s *Sidecar) Status() Status {
	table, _ := s.watcher.Table()
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Source, status.Ended = table.Source, !s.running
	if !s.applying.IsZero() {
		status.ApplyingMS = time.Since(s.applying).Milliseconds()
	}
	if plane, ok := s.plane.(Describer); ok {
		status.Plane = plane.Describe()
	}
	status.PID, status.Version, status.Since = os.Getpid(), s.opts.Version, s.since
	if !table.Updated.IsZero() {
		status.AgeMS = time.Since(table.Updated).Milliseconds()
	}
	status.Problems = status.problems()
	return status
}

// record notes the outcome of one Apply and returns the status before it.
func (s *Sidecar) record(table *registry.Table, err error) (before Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.status
	s.applying = time.Time{}
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
