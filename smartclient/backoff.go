package smartclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Full jitter (each pause is drawn from zero to its bound) spreads retries
// best; the bounds are Envoy's first and Google SRE's order of the last.
const (
	firstPause = 25 * time.Millisecond
	mostPause  = time.Second
	// mostRetryAfter bounds how long a request without a deadline waits
	// because a server asked for it.
	mostRetryAfter = 10 * time.Second
)

// pauseBound returns the longest pause before the n-th retry, n from 1.
func pauseBound(n int) time.Duration {
	if n > 6 { // 25 ms doubled six times is beyond the bound
		return mostPause
	}
	return min(firstPause<<(n-1), mostPause)
}

// pause draws the pause before the n-th retry. A server's Retry-After is its
// lower bound, negative if there is none.
func pause(n int, after time.Duration) time.Duration {
	return max(after, 0) + rand.N(pauseBound(n)+1)
}

// fits tells whether a pause leaves time before the context's deadline.
func fits(ctx context.Context, d, after time.Duration) bool {
	deadline, ok := ctx.Deadline()
	if !ok {
		return after <= mostRetryAfter
	}
	return time.Until(deadline) > d
}

// sleep waits, and returns early with the context's cause.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3), seconds or a date; negative
// if there is none that can be read, or the status gives it another meaning.
// Dates in the past mean now.
func retryAfter(status int, h http.Header, now func() time.Time) time.Duration {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return -1
	}
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return -1
	}
	return max(date.Sub(now()), 0)
}
