package nameserver

import (
	"strings"

	"fairlead.dev/registry"
)

// zones are those this server has, the longer first.
var zones = []string{"service.internal.", "service."}

// instanceLabel stands before the service in the name of one instance.
const instanceLabel = "instance"

// A kind is what a name stands for.
type kind int

const (
	foreign kind = iota // of no zone of ours
	apex                // the zone itself
	absent              // nothing could ever have it
	between             // has names below it, and nothing of its own
	service
	instance
)

// A target is what a queried name asks for.
type target struct {
	kind     kind
	zone     string
	service  string
	instance string
}

// parse reads a queried name, fully qualified, whatever its case (RFC 4343).
func parse(name, realm string) target {
	name = strings.ToLower(name)
	for _, zone := range zones {
		if name == zone {
			return target{kind: apex, zone: zone}
		}
		if rest, ok := strings.CutSuffix(name, "."+zone); ok {
			return within(zone, strings.Split(rest, "."), realm)
		}
	}
	return target{}
}

func within(zone string, labels []string, realm string) target {
	t := target{kind: absent, zone: zone}
	for _, label := range labels {
		if registry.ValidateName("name", label) != nil {
			return t
		}
	}
	last := len(labels) - 1
	switch {
	case len(labels) == 1:
		t.kind, t.service = service, labels[0]
	case len(labels) == 2 && labels[0] == instanceLabel:
		t.kind, t.service = between, labels[1]
	case len(labels) == 2 && labels[1] == realm:
		t.kind, t.service = service, labels[0]
	case len(labels) == 3 && labels[1] == instanceLabel:
		t.kind, t.service, t.instance = instance, labels[last], labels[0]
	}
	return t
}

// nameOf is where the addresses of one instance are.
func nameOf(in registry.Instance, zone string) string {
	return in.ID + "." + instanceLabel + "." + in.Service + "." + zone
}
