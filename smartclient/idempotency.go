package smartclient

import (
	"crypto/rand"
	"net/http"
)

// keyHeader is that of draft-ietf-httpapi-idempotency-key-header: a service
// that supports it processes requests of one key only once.
const keyHeader = "Idempotency-Key"

// key makes a POST or PATCH repeatable where the service declares that keys
// make it so: with the key that the request has, or one of its own, the same
// for all attempts, if the caller wants that.
func (c *call) key() {
	method := c.req.Method
	if !c.view.terms.keys || method != http.MethodPost && method != http.MethodPatch {
		return
	}
	switch {
	case len(c.req.Header[keyHeader]) > 0:
	case c.view.terms.giveKeys:
		c.ownKey = `"` + rand.Text() + `"` // a string, as structured fields have it
	default:
		return
	}
	c.traits |= keyed
}
