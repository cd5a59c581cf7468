package smartclient

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

// attemptNumber continues the caller's own count, if the request is already a
// repetition, or made while one is served.
func attemptNumber(before, n int) int { return max(before, 1) + n - 1 }

// headers adds an attempt's own, to a copy, for they are the caller's.
func (a *attempt) headers(out *http.Request) {
	c := a.call
	carrier := c.t.telemetry.carrier(a.ctx)
	number := attemptNumber(c.before, a.number)
	deadline, timed := c.ctx.Deadline()
	loud := c.t.ours && !c.repeatable() && needsSilencing(out.Header)
	told := timed || c.ownKey != "" || len(c.routes) > 0 || c.t.sidecar != nil
	if carrier == nil && number == 1 && !told && !loud && out.Header != nil {
		return
	}
	before := out.Header
	out.Header = make(http.Header, len(before)+4)
	maps.Copy(out.Header, before) // values are replaced as a whole, never appended to
	if number > 1 {
		out.Header.Set(HeaderAttempt, strconv.Itoa(number))
	}
	if timed {
		a.left[0] = timeoutText(time.Until(deadline))
		out.Header[HeaderTimeout] = a.left[:]
	}
	if c.ownKey != "" {
		out.Header[keyHeader] = []string{c.ownKey}
	}
	if len(c.routes) > 0 {
		out.Header[RouteHeader] = []string{c.routes.String()}
	}
	if c.t.sidecar != nil {
		out.Header[serviceHeader] = []string{c.service}
	}
	if loud {
		silence(out.Header)
	}
	if carrier != nil {
		carrier.Inject(a.ctx, propagation.HeaderCarrier(out.Header))
	}
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
