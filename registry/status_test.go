package registry

import (
	"strings"
	"testing"
)

func TestValidateReported(t *testing.T) {
	for _, s := range []Status{Passing, Warning, Critical, Draining} {
		if err := ValidateReported(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []Status{"", Suspect, "PASSING", "a\nb"} {
		if err := ValidateReported(s); err == nil || !strings.HasPrefix(err.Error(), "status: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", s, err)
		}
	}
}
