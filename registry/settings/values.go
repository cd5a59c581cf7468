package settings

import (
	"cmp"
	"maps"
	"slices"

	"fairlead.dev/registry"
)

// Values are a service's settings at one moment. They do not change, and nil
// has none.
type Values struct {
	// read is as of when all were read the last time.
	read registry.Revision
	// held has those that were taken away too: older word of them does not
	// bring them back.
	held map[string]registry.Setting
}

// Lookup returns the value of a setting.
func (v *Values) Lookup(name string) (value string, ok bool) {
	if v == nil {
		return "", false
	}
	s, ok := v.held[name]
	return s.Value, ok && !s.Gone
}

// All returns every setting, by name.
func (v *Values) All() []registry.Setting {
	if v == nil {
		return nil
	}
	all := slices.Collect(maps.Values(v.held))
	all = slices.DeleteFunc(all, func(s registry.Setting) bool { return s.Gone })
	slices.SortFunc(all, func(a, b registry.Setting) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// heard returns the values with a change; older word changes nothing.
func (v *Values) heard(s registry.Setting) *Values {
	if s.Revision <= v.held[s.Name].Revision {
		return v
	}
	held := maps.Clone(v.held)
	if held == nil {
		held = map[string]registry.Setting{}
	}
	held[s.Name] = s
	return &Values{v.read, held}
}

// merged returns the values with all that was read. A name that is not among
// them is gone, unless it was set after the reading.
func (v *Values) merged(all registry.Settings) *Values {
	held := map[string]registry.Setting{}
	if !v.replacedBy(all.Revision) {
		for name, s := range v.held {
			s.Gone = s.Gone || s.Revision <= all.Revision.Sequence
			held[name] = s
		}
	}
	for _, s := range all.Settings {
		if s.Revision >= held[s.Name].Revision {
			held[s.Name] = s
		}
	}
	return &Values{all.Revision, held}
}

// replacedBy tells whether what is read comes from another bucket than what is
// held: a new epoch, or older data that somebody has put back.
func (v *Values) replacedBy(at registry.Revision) bool {
	return v.read.Epoch != "" && (v.read.Epoch != at.Epoch || at.Sequence < v.read.Sequence)
}

// changed returns the names whose values differ, in order.
func changed(before, after *Values) []string {
	names := map[string]bool{}
	for _, v := range []*Values{before, after} {
		for name := range v.held {
			names[name] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool {
		was, had := before.Lookup(name)
		is, has := after.Lookup(name)
		return was == is && had == has
	})
}
