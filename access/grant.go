package access

import (
	"slices"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// A Role is a set of things that belong together.
type Role string

// Roles of programs and people, each in one realm.
const (
	// Reader reads a realm: tables, changes, events.
	Reader Role = "reader"
	// Instance keeps instances of its services registered, and reads.
	Instance Role = "instance"
	// Operator has one or more of the operators' verbs, and reads.
	Operator Role = "operator"
)

// Roles of the control plane itself, on a bus of its own.
const (
	// Atlas is the account where the registry's buckets are.
	Atlas Role = "atlas"
	// Bridge speaks for programs that use HTTP; it checks what they may.
	Bridge Role = "bridge"
	// Sys is the account of the servers' own advisories.
	Sys Role = "sys"
)

// Roles are those that can be given.
var Roles = []Role{Reader, Instance, Operator}

// Verbs that are no requests of the protocol, or stand for several.
const (
	Read = "read" // tables, changes, explanations, status, events
	// Settings of services, and what Configure sets; they may be confidential.
	Settings  = "settings"
	Configure = "configure"
	Meta      = "meta"
)

// OperatorVerbs can be granted one by one.
var OperatorVerbs = []string{protocol.Flag, protocol.Drain, protocol.Weight, Meta, Configure}

// A Grant is what a user may.
type Grant struct {
	Role  Role   `json:"role"`
	Realm string `json:"realm,omitempty"`
	// Services that an instance registers; for an operator none means all.
	Services []string `json:"services,omitempty"`
	// Instance narrows an instance's grant to one id.
	Instance string `json:"instance,omitempty"`
	// Verbs of an operator.
	Verbs []string `json:"verbs,omitempty"`
}

// Validate returns all problems of a grant that is given to somebody.
func (g Grant) Validate() error {
	var errs registry.FieldErrors
	if !slices.Contains(Roles, g.Role) {
		errs.Addf("role", "must be reader, instance or operator, got %q", g.Role)
		return errs.Err()
	}
	errs.Add(registry.ValidateName("realm", g.Realm))
	for _, service := range g.Services {
		errs.Add(registry.ValidateName("service", service))
	}
	g.checkInstance(&errs)
	g.checkVerbs(&errs)
	return errs.Err()
}

func (g Grant) checkInstance(errs *registry.FieldErrors) {
	switch {
	case g.Role == Instance && len(g.Services) == 0:
		errs.Addf("service", "must be given for an instance, once or more")
	case g.Role == Reader && len(g.Services) > 0:
		errs.Addf("service", "must not be given: readers read a whole realm")
	}
	switch {
	case g.Instance == "":
	case g.Role != Instance || len(g.Services) != 1:
		errs.Addf("instance", "must be given only for role instance and one service")
	default:
		errs.Add(registry.ValidateName("instance", g.Instance))
	}
}

func (g Grant) checkVerbs(errs *registry.FieldErrors) {
	if g.Role == Operator && len(g.Verbs) == 0 {
		errs.Addf("verb", "must be given for an operator, one or more of %s", strings.Join(OperatorVerbs, ", "))
	}
	if g.Role != Operator && len(g.Verbs) > 0 {
		errs.Addf("verb", "must be given only for role operator")
		return
	}
	for _, verb := range g.Verbs {
		if !slices.Contains(OperatorVerbs, verb) {
			errs.Addf("verb", "must be one of %s, got %q", strings.Join(OperatorVerbs, ", "), verb)
		}
	}
}

// May tells whether the grant allows a verb, one of [Read], [Settings], those
// of the protocol and of [OperatorVerbs], about an instance or, where the key
// names none, about a service or a realm.
func (g Grant) May(verb string, about registry.Key) bool {
	if g.Role == Bridge {
		return true
	}
	if about.Realm != g.Realm || !slices.Contains(Roles, g.Role) {
		return false
	}
	return verb == Read || slices.Contains(g.verbs(), verb) && g.covers(verb, about)
}

// verbs are those beyond reading.
func (g Grant) verbs() []string {
	switch g.Role {
	case Instance:
		return []string{protocol.Register, protocol.Heartbeat, protocol.Beat, protocol.Deregister, Settings}
	case Operator:
		if slices.Contains(g.Verbs, Configure) {
			return append(slices.Clone(g.Verbs), Settings)
		}
		return g.Verbs
	}
	return nil
}

func (g Grant) covers(verb string, about registry.Key) bool {
	if len(g.Services) > 0 && !slices.Contains(g.Services, about.Service) {
		return false
	}
	return g.Instance == "" || g.Instance == about.Instance || verb == Settings
}
