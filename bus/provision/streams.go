package provision

import (
	"cmp"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus"
)

// The buckets: where the registry keeps its truth, the last heartbeats for
// people to look at, and the settings of services.
const (
	RegistryBucket   = "atlas"
	HeartbeatsBucket = "heartbeats"
	SettingsBucket   = "settings"
)

// The streams that buckets are made of.
const (
	registryStream   = "KV_" + RegistryBucket
	heartbeatsStream = "KV_" + HeartbeatsBucket
)

// The streams: events of the last days, and deploys for good.
const (
	EventsStream  = "EVENTS"
	DeploysStream = "DEPLOYS"
)

// RegistryChanges is the prefix, in account ATLAS, of what the registry's
// bucket has stored: each change of key K appears on RegistryChanges.K, in
// order, with its sequence in Nats-Sequence.
const RegistryChanges = "atlas.internal.kv"

// SettingsChanges is the prefix, for clients too, of what the bucket of settings
// has stored.
const SettingsChanges = "atlas.v1.setting"

const (
	history         = 5 // values of a key: the last good one is among them
	heartbeatMaxAge = time.Minute
	eventsMaxAge    = 7 * 24 * time.Hour
	eventsMaxBytes  = 256 << 20
	deploysMaxBytes = 256 << 20
	// eventMaxSize keeps one publisher from filling a stream with few messages.
	eventMaxSize    = 64 << 10
	duplicateWindow = 2 * time.Minute // the server's default, and the most KV uses
	noLimit         = -1
)

// streams are whole configurations with the server's defaults written out, so
// that they can be compared with what the server says it has. The order
// matters: DEPLOYS takes from EVENTS.
func streams(opts Options) []jetstream.StreamConfig {
	replicas := max(opts.Replicas, 1)
	return []jetstream.StreamConfig{
		registry(replicas),
		heartbeats(),
		settings(replicas),
		events(replicas, cmp.Or(opts.EventsMaxBytes, eventsMaxBytes)),
		deploys(replicas),
	}
}

func registry(replicas int) jetstream.StreamConfig {
	config := bucket(RegistryBucket, "The registry", history, replicas)
	config.RePublish = &jetstream.RePublish{
		Source:      "$KV." + RegistryBucket + ".>",
		Destination: RegistryChanges + ".>",
	}
	config.AllowAtomicPublish = true
	// One rollup or purge would wipe the history that last good values come
	// from, and with it everything that is registered.
	config.AllowRollup = false
	config.DenyPurge = true
	return config
}

// settings tells services of each change by itself: what was stored is said, by
// whoever it was put, and whether the registry runs or not.
func settings(replicas int) jetstream.StreamConfig {
	config := bucket(SettingsBucket, "Settings of services", history, replicas)
	// A reading must not lack what has been heard already, so the leader
	// answers it: a copy may lag.
	config.AllowDirect = false
	config.RePublish = &jetstream.RePublish{
		Source:      "$KV." + SettingsBucket + ".>",
		Destination: SettingsChanges + ".>",
	}
	return config
}

// heartbeats are for people to look at; no decision rests on them, so they
// stay off the disk and need no second copy.
func heartbeats() jetstream.StreamConfig {
	config := bucket(HeartbeatsBucket, "Last heartbeats, for people to look at", 1, 1)
	config.Storage = jetstream.MemoryStorage
	config.MaxAge = heartbeatMaxAge
	config.Duplicates = min(heartbeatMaxAge, duplicateWindow)
	return config
}

func events(replicas int, maxBytes int64) jetstream.StreamConfig {
	config := stream(EventsStream, "CloudEvents of the platform and of services", replicas)
	config.Subjects = []string{bus.EventPrefix + ".>"}
	config.MaxAge = eventsMaxAge
	config.MaxBytes = maxBytes
	config.MaxMsgSize = eventMaxSize
	config.AllowAtomicPublish = true
	config.RePublish = &jetstream.RePublish{
		Source:      bus.EventPrefix + ".>",
		Destination: bus.FeedPrefix + ".>",
	}
	return config
}

// deploys are kept for as long as there is room: hundreds of thousands of
// them. What is capped cannot take the disk from the registry. They are copied from the events, because no two streams may listen to
// the same subject.
func deploys(replicas int) jetstream.StreamConfig {
	config := stream(DeploysStream, "Deploy events, kept for good", replicas)
	config.MaxBytes = deploysMaxBytes
	config.Sources = []*jetstream.StreamSource{{
		Name:          EventsStream,
		FilterSubject: bus.EventPrefix + ".*.*.deploy.>",
	}}
	return config
}

// bucket is the stream of a key-value bucket, as nats.go and the nats tool
// make them.
func bucket(name, description string, history int64, replicas int) jetstream.StreamConfig {
	config := stream("KV_"+name, description, replicas)
	config.Subjects = []string{"$KV." + name + ".>"}
	config.MaxMsgsPerSubject = history
	config.Discard = jetstream.DiscardNew
	config.AllowRollup = true
	config.DenyDelete = true
	return config
}

func stream(name, description string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              name,
		Description:       description,
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		MaxMsgs:           noLimit,
		MaxBytes:          noLimit,
		MaxMsgSize:        noLimit,
		MaxConsumers:      noLimit,
		MaxMsgsPerSubject: noLimit,
		Duplicates:        duplicateWindow,
		Replicas:          replicas,
		AllowDirect:       true,
	}
}
