package main

import (
	"errors"
	"testing"

	"fairlead.dev/bench/internal/command"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--rows", "kills,pick", "--systems", "kratos,plain", "--quick"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.rows) != 2 || o.rows[0].Name != "pick" || len(o.systems) != 2 || o.systems[0].Name != "plain" || o.Rounds != 1 {
		t.Errorf("parse = %+v, want two rows and two systems in their own order, one round", o)
	}
	for _, args := range [][]string{{"--rows", "nothing"}, {"--systems", "curl"}, {"extra"}} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("parse(%q) = %v, want %v", args, err, command.ErrUsage)
		}
	}
}
