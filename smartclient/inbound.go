package smartclient

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"fairlead.dev/registry"
)

// What one layer tells the next about a request.
const (
	// HeaderAttempt carries an attempt's number from the second on.
	HeaderAttempt = "Fairlead-Attempt"
	// HeaderTimeout carries the time that the caller still waits for the whole
	// answer, in milliseconds as a decimal number. It is a duration and not a
	// moment because clocks differ; what the network takes is not deducted.
	// What a request of one's own says there has to make sense, else it fails
	// with a [*registry.FieldError]; a proxy ([RetryUnsent]) carries it on.
	HeaderTimeout = "Fairlead-Timeout"
)

// Inbound returns the context in which to serve a request: it ends when the
// caller's [HeaderTimeout] says, and remembers from [HeaderAttempt] that the
// request is a repetition, so that what is called in it is not repeated once
// more on this layer. Call cancel when the request has been served.
//
// Headers that make no sense are ignored: they are advice, and a request is no
// worse for it. A smart service does all this by itself.
func Inbound(r *http.Request) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = r.Context(), func() {}
	if n := attemptOf(r.Header); n > 1 {
		ctx = carrying(ctx, func(c *carried) { c.attempt = n })
	}
	if left, ok, err := timeoutOf(r.Header); ok && err == nil {
		return context.WithTimeout(ctx, left)
	}
	return ctx, cancel
}

// attemptOf returns the attempt's number, 0 if none can be read.
func attemptOf(h http.Header) int {
	text := first(h, HeaderAttempt)
	if text == "" { // nearly always, and an error would cost an allocation
		return 0
	}
	n, _ := strconv.ParseUint(text, 10, 16)
	return int(n)
}

// timeoutOf returns the time that is left, if the header tells. 31 bits of
// milliseconds are 24 days. The error is a [*registry.FieldError].
func timeoutOf(h http.Header) (left time.Duration, told bool, err error) {
	text := first(h, HeaderTimeout)
	if text == "" {
		return 0, false, nil
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, false, &registry.FieldError{Field: HeaderTimeout, Problem: fmt.Sprintf("must be whole milliseconds without a unit, as in 1500, and at most 24 days, got %.80q", text)}
	}
	return time.Duration(ms) * time.Millisecond, true, nil
}

// first is h.Get for a name in its canonical spelling.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// timeoutText is the header of a deadline so far away. It is rounded up: then
// the caller's own time is over first, and what it gets is the error of its
// context and not a 504 that was a moment faster. Zero would say that there is
// no time.
func timeoutText(left time.Duration) string {
	ms := (left + time.Millisecond - 1) / time.Millisecond
	return strconv.FormatInt(max(int64(ms), 1), 10)
}
