package atlas

import (
	"strings"

	"fairlead.dev/registry"
)

// wordsMost bounds what is remembered: versions come and go.
const wordsMost = 16384

// words keep one copy of each text that many instances have in common: realms,
// services, schemes, paths, versions, zones. As read, every registration has
// copies of its own, which together are as large as the rest of it. They begin
// anew when they are many; what was shared stays so. The zero value is ready.
type words struct{ known map[string]string }

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
		&r.Scheme, &r.Health, &r.Version, &r.Zone, (*string)(&r.Atlas.Status),
		&r.Atlas.RegisteredBy, &r.Atlas.Via, &r.Atlas.Server, &r.Atlas.Cause,
	} {
		*text = w.one(*text)
	}
}
