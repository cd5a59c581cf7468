package smartclient

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An attempt may read on after it has failed. What it takes from a body that
// exists once must not be missing in the next attempt's.
func TestABodyIsReadByOneAttempt(t *testing.T) {
	lent := func() (*replay, io.Reader) {
		r := &replay{single: &singleBody{body: io.NopCloser(strings.NewReader("whole"))}}
		first, err := r.next()
		if err != nil || !r.possible() {
			t.Fatalf("not lent: %v", err)
		}
		return r, first
	}
	r, first := lent()
	_, _ = first.Read(make([]byte, 2))
	if next, err := r.next(); !errors.Is(err, errBodyRead) {
		t.Errorf("what is left was lent: %v, %v", next, err)
	}
	r, first = lent()
	second, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 2)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("the attempt before reads on: %v", err)
	}
	if text, err := io.ReadAll(second); string(text) != "whole" {
		t.Errorf("the next attempt has %q, %v", text, err)
	}
}
