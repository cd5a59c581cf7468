package settings

import (
	"slices"
	"testing"

	"fairlead.dev/registry"
)

func set(name, value string, revision uint64) registry.Setting {
	return registry.Setting{Name: name, Value: value, Revision: revision}
}

func gone(name string, revision uint64) registry.Setting {
	return registry.Setting{Name: name, Revision: revision, Gone: true}
}

func read(epoch string, sequence uint64, all ...registry.Setting) registry.Settings {
	return registry.Settings{Revision: registry.Revision{Epoch: epoch, Sequence: sequence}, Settings: all}
}

func TestTheNewestRevisionOfANameCounts(t *testing.T) {
	type step = func(*Values) *Values
	heard := func(s registry.Setting) step { return func(v *Values) *Values { return v.heard(s) } }
	merged := func(all registry.Settings) step { return func(v *Values) *Values { return v.merged(all) } }
	tests := []struct {
		name  string
		steps []step
		want  []string
	}{
		{"nothing", nil, nil},
		{"read", []step{merged(read("e", 3, set("A", "a", 1), set("B", "b", 3)))}, []string{"A=a", "B=b"}},
		{"heard before the reading that knows it", []step{heard(set("A", "a", 2)), merged(read("e", 2, set("A", "a", 2)))}, []string{"A=a"}},
		{"heard before the reading and newer", []step{heard(set("A", "new", 4)), merged(read("e", 3, set("A", "old", 2)))}, []string{"A=new"}},
		{"heard after a reading that was newer", []step{merged(read("e", 4, set("A", "new", 4))), heard(set("A", "old", 2))}, []string{"A=new"}},
		{"gone", []step{merged(read("e", 1, set("A", "a", 1))), heard(gone("A", 2))}, nil},
		{"gone, and older word of it", []step{heard(gone("A", 2)), heard(set("A", "a", 1))}, nil},
		{"gone, and set again", []step{heard(gone("A", 2)), heard(set("A", "a", 3))}, []string{"A=a"}},
		{"taken away unheard", []step{merged(read("e", 2, set("A", "a", 1), set("B", "b", 2))), merged(read("e", 3, set("B", "b", 2)))}, []string{"B=b"}},
		{"set after the reading that lacks it", []step{merged(read("e", 1)), heard(set("A", "a", 3)), merged(read("e", 2))}, []string{"A=a"}},
		{"a new epoch replaces all", []step{merged(read("e", 9, set("A", "a", 9), set("B", "b", 8))), merged(read("f", 1, set("A", "other", 1)))}, []string{"A=other"}},
		{"older data put back replaces all", []step{merged(read("e", 9, set("A", "new", 9), set("B", "b", 8))), merged(read("e", 5, set("A", "old", 5)))}, []string{"A=old"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &Values{}
			for _, next := range tt.steps {
				v = next(v)
			}
			var got []string
			for _, s := range v.All() {
				got = append(got, s.Name+"="+s.Value)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestChangedNames(t *testing.T) {
	before := (&Values{}).merged(read("e", 4, set("SAME", "x", 1), set("OTHER", "x", 2), set("GONE", "", 3)))
	after := before.merged(read("e", 7, set("SAME", "x", 6), set("OTHER", "y", 5), set("NEW", "", 7)))
	if got := changed(before, after); !slices.Equal(got, []string{"GONE", "NEW", "OTHER"}) {
		t.Errorf("got %q", got)
	}
	if got := changed(after, after); len(got) != 0 {
		t.Errorf("nothing changed, got %q", got)
	}
}
