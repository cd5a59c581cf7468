package haproxy

import (
	"slices"
	"strings"
	"testing"
)

// TestAnswersOfDeletions: HAProxy 2.6 has no empty line after them.
func TestAnswersOfDeletions(t *testing.T) {
	for text, want := range map[string][]string{
		"Server deleted.\n":   {serverDeleted},
		"Server deleted.\n\n": {serverDeleted},
		"\n\n":                {"", ""},
		"New server registered.\n\n\nServer deleted.\n": {"New server registered.", "", serverDeleted},
		"# an answer that is cut":                       nil,
	} {
		if got, err := readAnswers(strings.NewReader(text)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	}
}
