package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead.dev/registry"
)

func (s *suite) configure(k registry.ServiceKey, name, value string) registry.Revision {
	s.Helper()
	revision, err := s.h.Settings.Configure(s.context(), k, name, &value)
	if err != nil {
		s.Fatalf("configure %s of %s: %v", name, k, err)
	}
	return revision
}

// settings returns what is set, as NAME=value, and as of when.
func (s *suite) settings(k registry.ServiceKey) ([]string, registry.Revision) {
	s.Helper()
	all, err := s.h.Settings.Settings(s.context(), k)
	if err != nil {
		s.Fatalf("read settings of %s: %v", k, err)
	}
	var got []string
	for _, one := range all.Settings {
		got = append(got, one.Name+"="+one.Value)
	}
	slices.Sort(got)
	return got, all.Revision
}

func (s *suite) settingsAreSet() {
	k, other := s.serviceKey("identity"), s.serviceKey("billing")
	got, none := s.settings(k)
	if len(got) != 0 || none.Epoch == "" {
		s.Errorf("at first there are %q as of %s", got, none)
	}
	first := s.configure(k, "GREETING", "hello")
	second := s.configure(k, "GREETING", "good\nday ☀")
	s.configure(k, "EMPTY", "")
	s.configure(other, "GREETING", "another service's")
	if first.Epoch != none.Epoch || second.Sequence <= first.Sequence {
		s.Errorf("set at %s and %s, in epoch %s", first, second, none.Epoch)
	}
	if got, at := s.settings(k); !slices.Equal(got, []string{"EMPTY=", "GREETING=good\nday ☀"}) || at.Sequence <= second.Sequence {
		s.Errorf("there are %q as of %s", got, at)
	}
	for name, found := range map[string]bool{"GREETING": true, "NEVER_SET": false} {
		at, err := s.h.Settings.Configure(s.context(), k, name, nil)
		if err != nil || (at.Sequence > 0) != found {
			s.Errorf("%s taken away at %s, %v", name, at, err)
		}
	}
	if got, _ := s.settings(k); !slices.Equal(got, []string{"EMPTY="}) {
		s.Errorf("in the end there are %q", got)
	}
}

func (s *suite) settingsAreHeard() {
	k := s.serviceKey("identity")
	heard := make(chan registry.Setting, 64)
	stop, err := s.h.Settings.ListenSettings(k, func(one registry.Setting) { heard <- one })
	s.must(err)
	s.Cleanup(stop)
	s.settings(k) // answered after the listening took effect
	expect := func(want registry.Setting) {
		s.Helper()
		select {
		case got := <-heard:
			if got != want {
				s.Errorf("heard %+v, want %+v", got, want)
			}
		case <-time.After(patience):
			s.Fatalf("never heard %+v", want)
		}
	}
	s.configure(s.serviceKey("billing"), "GREETING", "not for these ears")
	at := s.configure(k, "GREETING", "hello")
	expect(registry.Setting{Name: "GREETING", Value: "hello", Revision: at.Sequence})
	at, err = s.h.Settings.Configure(s.context(), k, "GREETING", nil)
	s.must(err)
	expect(registry.Setting{Name: "GREETING", Revision: at.Sequence, Gone: true})
	stop()
	s.configure(k, "GREETING", "nobody listens")
	if len(heard) > 0 {
		s.Errorf("after the stop: %+v", <-heard)
	}
}

func (s *suite) settingsHaveBounds() {
	k := s.serviceKey("identity")
	bad := func(k registry.ServiceKey, name, value, field string) {
		s.Helper()
		_, err := s.h.Settings.Configure(s.context(), k, name, &value)
		s.names(err, field)
	}
	bad(k, "greeting", "x", "name")
	bad(k, "FAIRLEAD_REALM", "x", "name")
	bad(k, "GREETING", strings.Repeat("x", 5000), "value")
	bad(k, "GREETING", "\xff", "value")
	bad(s.serviceKey("Identity"), "GREETING", "x", "service")
	if got, _ := s.settings(k); len(got) != 0 {
		s.Errorf("bad ones were kept: %q", got)
	}
	for i := range registry.MaxSettings {
		s.configure(k, fmt.Sprintf("N%d", i), "x")
	}
	bad(k, "ONE_MORE", "x", "name")
	s.configure(k, "N0", "y")
}
