package atlas

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Nearly all records are of plain texts and whole numbers. These are written
// without reflection, all others by the JSON library.

// A plainWriter writes what the JSON library would.
type plainWriter struct {
	data []byte
	bad  bool
}

func (r *record) encode() []byte {
	if data, ok := r.encodePlain(); ok {
		return data
	}
	// Strings, numbers, times and string maps always encode.
	data, _ := json.Marshal(r)
	return data
}

func (r *record) encodePlain() ([]byte, bool) {
	w := plainWriter{data: make([]byte, 0, 640)}
	w.data = append(w.data, `{"host":`...)
	w.quoted(r.Host)
	w.data = strconv.AppendInt(append(w.data, `,"port":`...), int64(r.Port), 10)
	w.text("scheme", r.Scheme)
	w.text("health", r.Health)
	w.text("version", r.Version)
	w.text("zone", r.Zone)
	w.number("weight", uint64(max(r.Weight, 0)))
	w.pairs("metadata", r.Metadata)
	if r.Atlas != (atlasPart{}) {
		w.name("atlas")
		w.atlas(&r.Atlas)
	}
	return append(w.data, '}'), !w.bad && r.Weight >= 0
}

func (w *plainWriter) atlas(a *atlasPart) {
	w.data = append(w.data, '{')
	w.text("status", string(a.Status))
	if a.Suspect {
		w.name("suspect")
		w.data = append(w.data, "true"...)
	}
	w.time("suspect_since", a.SuspectSince)
	w.text("cause", a.Cause)
	w.text("incarnation", a.Incarnation)
	w.text("token_sha256", a.TokenHash)
	w.text("registered_by", a.RegisteredBy)
	w.time("registered_at", a.RegisteredAt)
	w.text("via", a.Via)
	w.text("server", a.Server)
	w.number("client", a.Client)
	w.data = append(w.data, '}')
}

func (w *plainWriter) name(name string) {
	if w.data[len(w.data)-1] != '{' {
		w.data = append(w.data, ',')
	}
	w.data = append(append(append(w.data, '"'), name...), `":`...)
}

func (w *plainWriter) text(name, value string) {
	if value != "" {
		w.name(name)
		w.quoted(value)
	}
}

func (w *plainWriter) quoted(value string) {
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			w.bad = true
		}
	}
	w.data = append(append(append(w.data, '"'), value...), '"')
}

func (w *plainWriter) number(name string, value uint64) {
	if value != 0 {
		w.name(name)
		w.data = strconv.AppendUint(w.data, value, 10)
	}
}

func (w *plainWriter) time(name string, at time.Time) {
	if at.IsZero() {
		return
	}
	w.bad = w.bad || at.Location() != time.UTC || at.Year() < 0 || at.Year() > 9999
	w.name(name)
	w.data = append(at.AppendFormat(append(w.data, '"'), time.RFC3339Nano), '"')
}

func (w *plainWriter) pairs(name string, pairs map[string]string) {
	if len(pairs) == 0 {
		return
	}
	w.name(name)
	w.data = append(w.data, '{')
	for i, key := range slices.Sorted(maps.Keys(pairs)) {
		if i > 0 {
			w.data = append(w.data, ',')
		}
		w.quoted(key)
		w.data = append(w.data, ':')
		w.quoted(pairs[key])
	}
	w.data = append(w.data, '}')
}
