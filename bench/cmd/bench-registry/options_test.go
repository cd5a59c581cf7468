package main

import (
	"errors"
	"testing"

	"fairlead.dev/bench/internal/command"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--rows", "kill,flip-20", "--systems", "etcd,fairlead", "--quick"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.rows) != 2 || o.rows[0].Name != "flip-20" || len(o.systems) != 2 || o.systems[0].Name() != "fairlead" || o.Rounds != 1 {
		t.Errorf("parse = %+v, want two rows and two systems in their own order, one round", o)
	}
	for _, args := range [][]string{
		{"--rows", "nothing"}, {"--systems", "consul"}, {"extra"},
	} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("parse(%q) = %v, want %v", args, err, command.ErrUsage)
		}
	}
}

func TestEverySystemIsFoundByItsName(t *testing.T) {
	t.Parallel()
	for _, s := range all("") {
		if found, err := byName(s.Name()); err != nil || found.Name() != s.Name() {
			t.Errorf("byName(%q) = %v, %v", s.Name(), found, err)
		}
	}
	if _, err := byName("consul"); !errors.Is(err, command.ErrUsage) {
		t.Errorf("byName of none = %v, want %v", err, command.ErrUsage)
	}
}
