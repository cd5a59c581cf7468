package registry

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of settings. They keep all of a service's in one message.
const (
	MaxSettings     = 64
	maxSettingName  = 64
	maxSettingValue = 4 << 10
	// ownSettings are the platform's names, which a service reads at its start
	// from flags and the environment only.
	ownSettings = "FAIRLEAD_"
)

// A Setting is one value that a service reads at its start and on change.
// Settings are no place for secrets: whoever may ask for a service's settings
// gets all of them, and they are kept and sent as they are.
type Setting struct {
	// Name is like an environment variable's.
	Name  string `json:"name"`
	Value string `json:"value"`
	// Revision is the sequence of its last change.
	Revision uint64 `json:"revision"`
	// Gone tells, in a change, that it was taken away.
	Gone bool `json:"gone,omitempty"`
}

// Settings are all of a service as of a revision. Its epoch is that of the
// settings' bucket and compares with no other.
type Settings struct {
	Revision Revision  `json:"revision"`
	Settings []Setting `json:"settings"`
	// Invalid are those that make no sense, and why. They do not count.
	Invalid map[string]string `json:"invalid,omitempty"`
}

// Validate reports what is wrong with the name or the value.
func (s Setting) Validate() error {
	var errs FieldErrors
	errs.Add(ValidateSettingName(s.Name))
	switch {
	case len(s.Value) > maxSettingValue:
		errs.Addf("value", "must be at most %d bytes, has %d", maxSettingValue, len(s.Value))
	case !utf8.ValidString(s.Value) || strings.ContainsRune(s.Value, 0):
		errs.Addf("value", "must be text in UTF-8")
	}
	return errs.Err()
}

// ValidateSettingName checks that a name is like an environment variable's: 1
// to 64 of A-Z, 0-9 and '_', beginning with a letter.
func ValidateSettingName(name string) error {
	problem := ""
	switch {
	case name == "" || len(name) > maxSettingName:
		problem = fmt.Sprintf("must have 1 to %d characters", maxSettingName)
	case name[0] < 'A' || name[0] > 'Z' || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
		problem = "must be of A-Z, 0-9 and '_' and begin with a letter"
	case strings.HasPrefix(name, ownSettings):
		problem = "must not begin with " + ownSettings + ", which is the platform's own"
	default:
		return nil
	}
	return &FieldError{Field: "name", Problem: problem + ", got " + quote(name)}
}
