package atlas

import (
	"errors"
	"strings"

	"fairlead.dev/registry"
)

// aspect is which of an instance's keys an entry is about.
type aspect int

const (
	aspectRecord aspect = iota
	aspectFlag
	aspectWeight
	aspectDrain
	aspects
	// aspectMeta is of a service as a whole, not of an instance.
	aspectMeta
)

var suffixes = [aspects]string{"", ".enabled", ".weight", ".drain"}

const (
	hostsPrefix    = "hosts."
	servicesPrefix = "services."
	epochKey       = "epoch"
	// secretKey holds what the ids of events are made with. Only the account
	// of the control plane can read it.
	secretKey = "secret"
)

// isOwn tells whether a key is about the bucket itself.
func isOwn(key string) bool { return key == epochKey || key == secretKey }

// bucketKey returns the KV key of an aspect of an instance.
func bucketKey(k registry.Key, a aspect) string {
	return hostsPrefix + k.Dotted() + suffixes[a]
}

var errNotAHostKey = errors.New("key: must be hosts.REALM.SERVICE.INSTANCE, alone or with .enabled, .weight or .drain")

// parseBucketKey is the reverse of bucketKey.
func parseBucketKey(key string) (registry.Key, aspect, error) {
	rest, ok := strings.CutPrefix(key, hostsPrefix)
	if !ok {
		return registry.Key{}, 0, errNotAHostKey
	}
	parts := strings.Split(rest, ".")
	a := aspectRecord
	switch {
	case len(parts) == 4:
		if a = aspectOf("." + parts[3]); a == aspectRecord {
			return registry.Key{}, 0, errNotAHostKey
		}
	case len(parts) != 3:
		return registry.Key{}, 0, errNotAHostKey
	}
	k := registry.Key{Realm: parts[0], Service: parts[1], Instance: parts[2]}
	return k, a, k.Validate()
}

func aspectOf(suffix string) aspect {
	for a := aspectFlag; a < aspects; a++ {
		if suffixes[a] == suffix {
			return a
		}
	}
	return aspectRecord
}

// metaKey returns the KV key of what is known of a service.
func metaKey(k registry.ServiceKey) string { return servicesPrefix + k.Dotted() }

var errNotAServiceKey = errors.New("key: must be services.REALM.SERVICE")

// parseMetaKey is the reverse of metaKey.
func parseMetaKey(key string) (registry.ServiceKey, error) {
	parts := strings.Split(strings.TrimPrefix(key, servicesPrefix), ".")
	if len(parts) != 2 {
		return registry.ServiceKey{}, errNotAServiceKey
	}
	k := registry.ServiceKey{Realm: parts[0], Service: parts[1]}
	return k, k.Validate()
}
