package access

import (
	"errors"
	"slices"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

func TestGrantsNameWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		grant Grant
		field string
	}{
		"no role":                  {Grant{Realm: "test"}, "role"},
		"the control plane's":      {Grant{Role: Atlas, Realm: "test"}, "role"},
		"no realm":                 {Grant{Role: Reader}, "realm"},
		"a wildcard":               {Grant{Role: Reader, Realm: "*"}, "realm"},
		"everything":               {Grant{Role: Reader, Realm: ">"}, "realm"},
		"a wildcard of services":   {Grant{Role: Instance, Realm: "test", Services: []string{"*"}}, "service"},
		"instance without service": {Grant{Role: Instance, Realm: "test"}, "service"},
		"reader of a service":      {Grant{Role: Reader, Realm: "test", Services: []string{"a"}}, "service"},
		"instance of two services": {Grant{Role: Instance, Realm: "test", Services: []string{"a", "b"}, Instance: "x"}, "instance"},
		"a quote":                  {Grant{Role: Instance, Realm: "test", Services: []string{"a"}, Instance: `x"`}, "instance"},
		"operator without verb":    {Grant{Role: Operator, Realm: "test"}, "verb"},
		"unknown verb":             {Grant{Role: Operator, Realm: "test", Verbs: []string{"register"}}, "verb"},
		"reader with verb":         {Grant{Role: Reader, Realm: "test", Verbs: []string{"flag"}}, "verb"},
	}
	for name, c := range cases {
		var fields registry.FieldErrors
		if err := c.grant.Validate(); !errors.As(err, &fields) || fields[0].Field != c.field {
			t.Errorf("%s: %v, want a problem of %s", name, err, c.field)
		}
	}
}

// allVerbs is what May can be asked about.
var allVerbs = []string{
	Read, Settings, Configure, Meta, protocol.Register, protocol.Heartbeat, protocol.Beat,
	protocol.Deregister, protocol.Flag, protocol.Drain, protocol.Weight,
}

func TestWhatARoleMay(t *testing.T) {
	own := registry.Key{Realm: "production", Service: "identity", Instance: "a"}
	life := []string{protocol.Register, protocol.Heartbeat, protocol.Beat, protocol.Deregister}
	cases := map[string]struct {
		grant Grant
		about registry.Key
		want  []string
	}{
		"reader":                      {Grant{Role: Reader, Realm: "production"}, own, []string{Read}},
		"reader elsewhere":            {Grant{Role: Reader, Realm: "test"}, own, nil},
		"instance, its own":           {identity, own, append([]string{Read, Settings}, life...)},
		"instance, another service":   {identity, registry.Key{Realm: "production", Service: "billing", Instance: "a"}, []string{Read}},
		"instance, another realm":     {identity, registry.Key{Realm: "test", Service: "identity", Instance: "a"}, nil},
		"one instance, its own":       {one("a"), own, append([]string{Read, Settings}, life...)},
		"one instance, another":       {one("b"), own, []string{Read, Settings}},
		"operator of one verb":        {operator(protocol.Flag), own, []string{Read, protocol.Flag}},
		"operator who configures":     {operator(Configure), own, []string{Read, Settings, Configure}},
		"operator of a service":       {ofService("billing"), own, []string{Read}},
		"operator of the service":     {ofService("identity"), own, []string{Read, protocol.Drain}},
		"the registry's own, by HTTP": {Grant{Role: Atlas}, own, nil},
		"the bridge":                  {Grant{Role: Bridge}, own, allVerbs},
	}
	for name, c := range cases {
		var may []string
		for _, verb := range allVerbs {
			if c.grant.May(verb, c.about) {
				may = append(may, verb)
			}
		}
		slices.Sort(may)
		slices.Sort(c.want)
		want := slices.Clone(c.want)
		if !slices.Equal(may, want) {
			t.Errorf("%s may %v, want %v", name, may, want)
		}
	}
}

func one(instance string) Grant {
	g := identity
	g.Instance = instance
	return g
}

func operator(verbs ...string) Grant { return Grant{Role: Operator, Realm: "production", Verbs: verbs} }

func ofService(service string) Grant {
	g := operator(protocol.Drain)
	g.Services = []string{service}
	return g
}
