package registrar

import (
	"errors"
	"testing"
)

func TestWhatWasWaitedForIsSaidOnce(t *testing.T) {
	for text, want := range map[string]string{
		"port: must be a number":                   "register local/a/b: port: must be a number",
		"register local/a/b: port: must be 1":      "register local/a/b: port: must be 1",
		"register local/a/bc: port: must be small": "register local/a/b: register local/a/bc: port: must be small",
	} {
		if got := wrap("register local/a/b", errors.New(text)).Error(); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	if err := wrap("register local/a/b", nil); err != nil {
		t.Errorf("success is %v", err)
	}
}
