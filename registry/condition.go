package registry

import "time"

// A Condition is what changes of an instance's view while its registration
// stays as it is: most changes are no more than that, and it is a small part of
// the view.
type Condition struct {
	ID      string    `json:"instance"`
	Weight  int       `json:"weight"`
	Status  Status    `json:"status"`
	Enabled bool      `json:"enabled"`
	Owner   string    `json:"owner,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Condition returns the part of the view that changes without a registration.
func (i *Instance) Condition() Condition {
	return Condition{
		ID: i.ID, Weight: i.Weight, Status: i.Status, Enabled: i.Enabled,
		Owner: i.Owner, Reason: i.Reason, Until: i.Until,
	}
}

// In returns the view with another condition, as of a revision.
func (i Instance) In(c *Condition, revision uint64) Instance {
	i.take(c, revision)
	return i
}

func (i *Instance) take(c *Condition, revision uint64) {
	i.Weight, i.Status, i.Enabled = c.Weight, c.Status, c.Enabled
	i.Owner, i.Reason, i.Until = c.Owner, c.Reason, c.Until
	i.Revision = revision
}

// DiffersInCondition tells whether the condition is all that two views of an
// instance differ in, so that it will do to tell of it.
func (i Instance) DiffersInCondition(before *Instance) bool {
	now := i.Condition()
	return i.Hash() == before.In(&now, 0).Hash()
}
