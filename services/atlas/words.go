package atlas

import (
	"hash/maphash"
	"maps"
	"strings"

	"fairlead.dev/registry"
)

// wordsMost bounds what is remembered: versions come and go.
const wordsMost = 16384

// words keep one copy of each text that many instances have in common: realms,
// services, schemes, paths, versions, zones. As read, every registration has
// copies of its own, which together are as large as the rest of it. They begin
// anew when they are many; what was shared stays so. The same goes for metadata:
// a map of its own takes more than all else that is known of an instance. The
// zero value is ready.
type words struct {
	known    map[string]string
	metadata map[uint64]map[string]string
}

var wordsSeed = maphash.MakeSeed()

// oneOf returns a map of the same pairs, which nobody may change.
func (w *words) oneOf(pairs map[string]string) map[string]string {
	if len(pairs) == 0 {
		return pairs
	}
	var sum uint64 // maps have no order
	for k, v := range pairs {
		sum += maphash.Comparable(wordsSeed, [2]string{k, v})
	}
	if known := w.metadata[sum]; maps.Equal(known, pairs) {
		return known
	}
	if w.metadata == nil || len(w.metadata) >= wordsMost {
		w.metadata = map[uint64]map[string]string{}
	}
	w.metadata[sum] = pairs
	return pairs
}

func (w *words) one(text string) string {
	if known, ok := w.known[text]; ok {
		return known
	}
	if w.known == nil || len(w.known) >= wordsMost {
		w.known = map[string]string{}
	}
	// A copy, because text may be part of something larger.
	text = strings.Clone(text)
	w.known[text] = text
	return text
}

func (w *words) key(k registry.Key) registry.Key {
	return registry.Key{Realm: w.one(k.Realm), Service: w.one(k.Service), Instance: strings.Clone(k.Instance)}
}

// record shares what is likely to be alike; r is nobody else's yet.
func (w *words) record(r *record) {
	if r == nil {
		return
	}
	for _, text := range []*string{
		&r.Host, &r.Scheme, &r.Health, &r.Version, &r.Zone, (*string)(&r.Atlas.Status),
		&r.Atlas.RegisteredBy, &r.Atlas.Via, &r.Atlas.Server, &r.Atlas.Cause,
	} {
		*text = w.one(*text)
	}
	r.Metadata = w.oneOf(r.Metadata)
}
