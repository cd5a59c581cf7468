package access

import (
	"slices"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Permissions are the subjects that a connection may use, as NATS has them.
// An empty list of allowed subjects allows all.
type Permissions struct {
	Publish, DenyPublish     []string
	Subscribe, DenySubscribe []string
}

// platformEvents are what only the platform says of services.
var platformEvents = []string{
	bus.EventPrefix + ".*.*.instance.>", bus.EventPrefix + ".*.*.service.>", bus.EventPrefix + ".*.*.entry.>",
	bus.EventPrefix + ".*.*.registry.>", bus.EventPrefix + ".*.*.deploy.>",
	bus.EventPrefix + ".*.*.setting.>",
}

// Permissions returns what a user may say and hear in account APP. Those of
// the other accounts, and the bridge, have no limits of this kind.
func (u User) Permissions() Permissions {
	if !slices.Contains(Roles, u.Grant.Role) {
		return Permissions{}
	}
	p := reading(u.Grant.Realm)
	p.Subscribe = append(p.Subscribe, u.inbox()+".>")
	for _, verb := range u.Grant.verbs() {
		p.Publish = append(p.Publish, u.Grant.subjects(verb)...)
	}
	if slices.Contains(u.Grant.verbs(), Settings) {
		p.Subscribe = append(p.Subscribe, u.Grant.subjects("setting")...)
	}
	if u.Grant.Role == Instance {
		for _, service := range u.Grant.Services {
			p.Publish = append(p.Publish, bus.EventPrefix+"."+u.Grant.Realm+"."+service+".>")
		}
		p.DenyPublish = platformEvents
	}
	return p
}

// reading is what every role has.
func reading(realm string) Permissions {
	whole := registry.Interest{Realm: realm}
	every := registry.Interest{Realm: realm, Service: "*"}
	return Permissions{
		Publish: []string{
			protocol.Snapshot(whole), protocol.Snapshot(every), protocol.Status(realm),
			atlasPrefix + "explain." + realm + ".>",
		},
		Subscribe: []string{
			protocol.Routes(every), protocol.Digest(whole), protocol.Digest(every),
			bus.FeedPrefix + "." + realm + ".>",
		},
	}
}

const atlasPrefix = "atlas.v1."

// subjects are a verb's within the grant.
func (g Grant) subjects(verb string) []string {
	prefix := atlasPrefix + verb + "." + g.Realm + "."
	if len(g.Services) == 0 {
		return []string{prefix + ">"}
	}
	var all []string
	for _, service := range g.Services {
		switch {
		case g.Instance != "" && verb != Settings && verb != "setting":
			all = append(all, prefix+service+"."+g.Instance)
		case slices.Contains(instanceVerbs, verb):
			all = append(all, prefix+service+".*")
		default:
			all = append(all, prefix+service, prefix+service+".>")
		}
	}
	return all
}

// instanceVerbs have subjects that name an instance; the others name a
// service, and perhaps something of it.
var instanceVerbs = []string{
	protocol.Register, protocol.Heartbeat, protocol.Beat, protocol.Deregister,
	protocol.Flag, protocol.Drain, protocol.Weight,
}
