package bridge

import (
	"fmt"
	"net/http"
	"strings"

	"fairlead.dev/access"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/sidecar/problem"
)

// Authorize returns what the bearer of a token may; ok is false for a token
// that is nobody's.
type Authorize func(token string) (g access.Grant, ok bool)

// openPaths are answered to everybody: a probe has no token, and what the API
// is like is no secret.
var openPaths = map[string]bool{"/": true, "/health": true, "/openapi.json": true}

// needed returns the verb of the roles that a method of a path takes.
func needed(pattern, method string) string {
	reads := method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
	last := pattern[strings.LastIndexByte(pattern, '/')+1:]
	switch {
	case last == "settings" || strings.Contains(pattern, "/settings/"):
		if reads {
			return access.Settings
		}
		return access.Configure
	case reads:
		return access.Read
	case last == "heartbeat":
		return protocol.Heartbeat
	case pattern == instancePath && method == http.MethodPut:
		return protocol.Register
	case pattern == instancePath && method == http.MethodDelete:
		return protocol.Deregister
	case last == "enabled":
		return protocol.Flag
	case last == "weight":
		return protocol.Weight
	case last == "drain":
		return protocol.Drain
	}
	// What is about a service as a whole.
	return access.Meta
}

// authorize refuses requests without a token (401) and those that its role
// does not allow (403).
func (b *Bridge) authorize(h http.Header, pattern, method string, about registry.Key) error {
	if b.opts.Authorize == nil || openPaths[pattern] {
		return nil
	}
	grant, err := b.bearer(h, "Authorization")
	if err != nil {
		return err
	}
	if about.Realm == "" { // of the node, and no realm's: metrics
		about.Realm = grant.Realm
	}
	verb := needed(pattern, method)
	if grant.May(verb, about) {
		return nil
	}
	return problem.New(http.StatusForbidden, "forbidden", fmt.Sprintf("the token's role is %s in realm %s, which may not %s %s", grant.Role, grant.Realm, verb, strings.Trim(about.String(), "/")))
}

// authorizeCall is for requests that go on to a service: Authorization is the
// service's there, so the bridge's own token comes as a proxy's does, and does
// not go on.
func (b *Bridge) authorizeCall(r *http.Request) error {
	if b.opts.Authorize == nil {
		return nil
	}
	grant, err := b.bearer(r.Header, "Proxy-Authorization")
	if err != nil {
		return err
	}
	r.Header.Del("Proxy-Authorization")
	if grant.May(access.Read, registry.Key{Realm: b.opts.Realm}) {
		return nil
	}
	return problem.New(http.StatusForbidden, "forbidden", fmt.Sprintf("the token's role is %s in realm %s, which may not call services of %s", grant.Role, grant.Realm, b.opts.Realm))
}

// bearer reads a header of RFC 6750 §2.1.
func (b *Bridge) bearer(h http.Header, name string) (access.Grant, error) {
	scheme, token, found := strings.Cut(h.Get(name), " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		if grant, ok := b.opts.Authorize(strings.TrimSpace(token)); ok {
			return grant, nil
		}
	}
	return access.Grant{}, &tokenError{header: name, given: h.Get(name) != ""}
}

// A tokenError is a token that is missing or nobody's.
type tokenError struct {
	header string
	given  bool
}

func (e *tokenError) Error() string {
	if e.given {
		return e.header + ": the token is not known here"
	}
	return e.header + ": must be Bearer TOKEN, with the token of a file from `fairlead credentials add`"
}

// challenge returns the status of the refusal and the header that goes with
// it (RFC 9110 §11.6.1 and §11.7.1).
func (e *tokenError) challenge() (status int, header string) {
	if e.header == "Proxy-Authorization" {
		return http.StatusProxyAuthRequired, "Proxy-Authenticate"
	}
	return http.StatusUnauthorized, "WWW-Authenticate"
}
