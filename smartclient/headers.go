package smartclient

import (
	"net/http"
	"strconv"
)

// attemptHeader carries an attempt's number from the second on, so that a
// layer behind this one knows not to repeat it once more.
const attemptHeader = "Fairlead-Attempt"

// attemptNumber continues the caller's own count, if the request is already a
// repetition. What cannot be read counts as the first.
func attemptNumber(h http.Header, n int) int {
	before, err := strconv.ParseUint(h.Get(attemptHeader), 10, 16)
	if err != nil || before == 0 {
		return n
	}
	return int(before) + n - 1
}

// silencing are headers that make net/http repeat any method by itself when a
// kept connection turns out to be dead, though the first may have been
// processed. It looks for the canonical spelling only, and to servers all
// spellings are one (RFC 9110 §5.1): so they travel in lower case.
var silencing = [...]struct{ canonical, lower string }{
	{"Idempotency-Key", "idempotency-key"},
	{"X-Idempotency-Key", "x-idempotency-key"},
}

func needsSilencing(h http.Header) bool {
	for _, name := range silencing {
		if _, ok := h[name.canonical]; ok {
			return true
		}
	}
	return false
}

func silence(h http.Header) {
	for _, name := range silencing {
		if values, ok := h[name.canonical]; ok {
			delete(h, name.canonical)
			h[name.lower] = values
		}
	}
}
