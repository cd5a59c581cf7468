package registry

import (
	"errors"
	"slices"
	"testing"
)

func TestCandidates(t *testing.T) {
	in := func(id string, s Status, enabled bool) Instance {
		return Instance{Service: "identity", ID: id, Status: s, Enabled: enabled}
	}
	cases := []struct {
		name      string
		instances []Instance
		want      []string
		err       error
	}{
		{"none", nil, nil, ErrNoSuchService},
		{"passing before all else", []Instance{in("a", Passing, true), in("b", Warning, true), in("c", Suspect, true), in("d", Passing, true)}, []string{"a", "d"}, nil},
		{"warning before suspect", []Instance{in("b", Warning, true), in("c", Suspect, true)}, []string{"b"}, nil},
		{"suspect before critical", []Instance{in("c", Suspect, true), in("e", Critical, true)}, []string{"c"}, nil},
		{"critical before nothing", []Instance{in("e", Critical, true), in("f", Draining, true)}, []string{"e"}, nil},
		{"a disabled one never", []Instance{in("a", Passing, false), in("e", Critical, true)}, []string{"e"}, nil},
		{"all disabled or draining", []Instance{in("a", Passing, false), in("f", Draining, true)}, nil, ErrNoneEnabled},
		{"a status of a newer version", []Instance{in("a", "splendid", true)}, []string{"a"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewTable("local", "e").WithService("identity", 1, c.instances).Service("identity").Candidates()
			var ids []string
			for _, one := range got {
				ids = append(ids, one.ID)
			}
			if !errors.Is(err, c.err) || !slices.Equal(ids, c.want) {
				t.Errorf("got %v, %v, expected %v, %v", ids, err, c.want, c.err)
			}
		})
	}
	var unknown *Service
	if _, err := unknown.Candidates(); !errors.Is(err, ErrNoSuchService) {
		t.Errorf("a service that is not known: %v", err)
	}
}
