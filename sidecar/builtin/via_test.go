package builtin

import (
	"net/http"
	"testing"
)

func TestHops(t *testing.T) {
	h := http.Header{"Via": {"1.1 fairlead, 1.0 edge (fairlead)", "2.0 fairlead , HTTP/1.1 other", "fairlead"}}
	if n := hops(h); n != 2 {
		t.Errorf("hops are %d", n)
	}
}
