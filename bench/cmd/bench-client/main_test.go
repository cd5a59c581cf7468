package main

import (
	"errors"
	"flag"
	"fmt"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--rows", "kills,pick", "--systems", "kratos,plain", "--quick"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.rows) != 2 || o.rows[0].Name != "pick" || len(o.systems) != 2 || o.systems[0].Name != "plain" || o.rounds != 1 {
		t.Errorf("parse = %+v, want two rows and two systems in their own order, one round", o)
	}
	for _, args := range [][]string{{"--rows", "nothing"}, {"--systems", "curl"}, {"--rounds", "0"}, {"-o", "xml"}, {"--wrong"}, {"extra"}} {
		if _, err := parse(args); !errors.Is(err, errUsage) {
			t.Errorf("parse(%q) = %v, want %v", args, err, errUsage)
		}
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		nil: 0, errShort: exitShort, errUsage: exitUsage, errors.New("other"): exitFailed,
		fmt.Errorf("%w: %w", errUsage, flag.ErrHelp): 0,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exitCode(%v) = %d, want %d", err, got, want)
		}
	}
}
