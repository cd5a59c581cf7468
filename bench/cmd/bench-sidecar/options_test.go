package main

import (
	"errors"
	"testing"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/verdict"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"--rows", "start,cost", "--quick"})
	if err != nil || len(o.rows) != 2 || o.rows[0].name != "cost" || o.Rounds != 1 {
		t.Errorf("parse = %+v, %v", o, err)
	}
	for _, args := range [][]string{{"--rows", "nothing"}, {"extra"}} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("parse(%q) = %v, want %v", args, err, command.ErrUsage)
		}
	}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	s := samples{"ours": {10, 30}, "peer": {5, 10}}
	f := s.over("ours", "peer").figure("ours ÷ peer", "×", "ours", atMost(2.4))
	if got := f.Systems["ours"].Rounds; got[0] != 2 || got[1] != 3 || f.Word != verdict.Short {
		t.Errorf("figure is %+v", f)
	}
	if f := s.figure("all", "", "", verdict.Target{}); f.Word != verdict.Open || len(f.Systems) != 2 {
		t.Errorf("figure is %+v", f)
	}
}
