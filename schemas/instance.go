package schemas

import "time"

// A Registration is what an instance says of itself. Its fields are those of
// the registry's own type in the same order, so that one converts to the other:
// schemas.Registration(r).
type Registration struct {
	Host     string            `json:"host"`
	Port     int               `json:"port"`
	Scheme   string            `json:"scheme,omitempty"`
	Health   string            `json:"health,omitempty"`
	Version  string            `json:"version,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Weight   int               `json:"weight,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// InstanceRegistered says that an instance is listed, or that a new life of it
// took the place of an old one. A registration put by hand has no incarnation.
type InstanceRegistered struct {
	AboutInstance
	Incarnation string `json:"incarnation,omitempty"`
	// PreviousIncarnation is the life that this one replaced.
	PreviousIncarnation string       `json:"previous_incarnation,omitempty"`
	Registration        Registration `json:"registration"`
	Status              string       `json:"status"`
}

// EventType implements [Data].
func (InstanceRegistered) EventType() Type { return TypeInstanceRegistered }

// InstanceUpdated says that the registration changed within one life, as by a
// hand edit or by registering again.
type InstanceUpdated struct {
	AboutInstance
	Incarnation  string       `json:"incarnation,omitempty"`
	Registration Registration `json:"registration"`
}

// EventType implements [Data].
func (InstanceUpdated) EventType() Type { return TypeInstanceUpdated }

// InstanceStatusChanged says that an instance is fitter or less fit than
// before, by its own word or in doubt of it.
type InstanceStatusChanged struct {
	AboutInstance
	Incarnation string `json:"incarnation,omitempty"`
	From        string `json:"from"`
	To          string `json:"to"`
	// Cause is a few words for people.
	Cause string `json:"cause,omitempty"`
}

// EventType implements [Data].
func (InstanceStatusChanged) EventType() Type { return TypeInstanceStatusChanged }

// InstanceEnabled says that an instance may be used again: the flag was set,
// was taken away, or ended by itself. The instance need not be registered.
type InstanceEnabled struct {
	AboutInstance
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Cause is a few words for people, as "expired".
	Cause string `json:"cause,omitempty"`
}

// EventType implements [Data].
func (InstanceEnabled) EventType() Type { return TypeInstanceEnabled }

// InstanceDisabled says that an operator ruled an instance out. The instance
// need not be registered.
type InstanceDisabled struct {
	AboutInstance
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Until is when the flag ends by itself; zero means never.
	Until time.Time `json:"until,omitzero"`
}

// EventType implements [Data].
func (InstanceDisabled) EventType() Type { return TypeInstanceDisabled }

// InstanceDrainChanged says that an operator began or ended the draining of an
// instance. Draining that the instance itself reports is a status.
type InstanceDrainChanged struct {
	AboutInstance
	Drain  bool   `json:"drain"`
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// EventType implements [Data].
func (InstanceDrainChanged) EventType() Type { return TypeInstanceDrainChanged }

// InstanceWeightChanged says that an operator gave an instance another share
// of the requests.
type InstanceWeightChanged struct {
	AboutInstance
	// Weight is 1 to 1000; zero means that the override was taken away and the
	// registration's own weight counts.
	Weight int    `json:"weight,omitempty"`
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// EventType implements [Data].
func (InstanceWeightChanged) EventType() Type { return TypeInstanceWeightChanged }

// InstanceDeregistered says that an instance left of its own will, or that a
// person deleted its registration.
type InstanceDeregistered struct {
	AboutInstance
	Incarnation string `json:"incarnation,omitempty"`
	// Cause is a few words for people.
	Cause string `json:"cause,omitempty"`
}

// EventType implements [Data].
func (InstanceDeregistered) EventType() Type { return TypeInstanceDeregistered }

// InstanceEvicted says that the registry gave an instance up.
type InstanceEvicted struct {
	AboutInstance
	Incarnation string `json:"incarnation,omitempty"`
	// Cause is what convinced it, in a few words for people, as "connection
	// refused".
	Cause string `json:"cause"`
}

// EventType implements [Data].
func (InstanceEvicted) EventType() Type { return TypeInstanceEvicted }
