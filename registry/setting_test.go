package registry

import (
	"strings"
	"testing"
)

func TestSettingsAreLikeEnvironmentVariables(t *testing.T) {
	for _, c := range []struct{ name, value, problem string }{
		{"GREETING", "hello\nworld", ""},
		{"MAX_USERS_2", "", ""},
		{"", "", "name: must have 1 to 64"},
		{strings.Repeat("A", 65), "", "name: must have 1 to 64"},
		{"greeting", "", "name: must be of A-Z"},
		{"_A", "", "name: must be of A-Z"},
		{"A.B", "", "name: must be of A-Z"},
		{"A B", "", "name: must be of A-Z"},
		{"É", "", "name: must be of A-Z"},
		{"FAIRLEAD_REALM", "x", "name: must not begin with FAIRLEAD_"},
		{"A", strings.Repeat("x", 4097), "value: must be at most 4096 bytes, has 4097"},
		{"A", "\xff", "value: must be text"},
		{"A", "a\x00b", "value: must be text"},
	} {
		err := Setting{Name: c.name, Value: c.value}.Validate()
		if (err == nil) != (c.problem == "") || err != nil && !strings.HasPrefix(err.Error(), c.problem) {
			t.Errorf("%q=%q: %v, expected %q", c.name, c.value, err, c.problem)
		}
	}
}
