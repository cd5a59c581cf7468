package smartclient

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// What one layer tells the next about a request.
const (
	// HeaderAttempt carries an attempt's number from the second on.
	HeaderAttempt = "Fairlead-Attempt"
	// HeaderTimeout carries the time that the caller still waits for the whole
	// answer, in milliseconds as a decimal number. It is a duration and not a
	// moment because clocks differ; what the network takes is not deducted.
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
	if left, ok := timeoutOf(r.Header); ok {
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

// timeoutOf returns the time that is left, if it can be read. 31 bits of
// milliseconds are 24 days.
func timeoutOf(h http.Header) (time.Duration, bool) {
	text := first(h, HeaderTimeout)
	if text == "" {
		return 0, false
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(ms) * time.Millisecond, err == nil
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
