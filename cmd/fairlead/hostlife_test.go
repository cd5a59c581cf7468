package main

import (
	"strings"
	"testing"

	"fairlead.dev/registry"
)

// A variable of the environment has its bounds, and beyond them no process
// starts.
func TestASuccessorIsToldNoMoreThanItCanBe(t *testing.T) {
	table := registry.NewTable("local", "e")
	for _, name := range []string{"alpha", "bravo", "charlie"} {
		table = table.WithInstance(registry.Instance{Service: name, ID: "i"})
	}
	if all := namesWithin(mostState, table); strings.Count(all, ",") != 2 || strings.HasSuffix(all, ",") {
		t.Errorf("got %q", all)
	}
	if some := namesWithin(12, table); some == "" || len(some) > 12 || strings.Contains(some, ",,") {
		t.Errorf("got %q", some)
	}
}
