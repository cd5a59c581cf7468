package bridge

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"

	"fairlead.dev/registry"
	routing "fairlead.dev/sidecar/route"
)

const callPrefix = "/call/"

// callTarget splits /call/{service}/{path} and keeps the path's escaping.
func callTarget(escapedPath string) (service, path string, ok bool) {
	rest, ok := strings.CutPrefix(escapedPath, callPrefix)
	if !ok {
		return "", "", false
	}
	service, path, _ = strings.Cut(rest, "/")
	return service, "/" + path, true
}

// call forwards a request, of any method and size, to a service of the
// bridge's own realm, or to where that one's rules send it.
func (b *Bridge) call(w http.ResponseWriter, r *http.Request, escapedService, path string) error {
	service, err := url.PathUnescape(escapedService)
	if err != nil {
		service = escapedService
	}
	if err := registry.ValidateName("service", service); err != nil {
		return err
	}
	target, err := b.follow(r, service, path)
	if err != nil {
		b.opts.Forwarder.Fail(w, r, service, err)
		return nil
	}
	// Services that build links from it lead the caller back here.
	r.Header.Set("X-Forwarded-Prefix", callPrefix+service)
	b.opts.Forwarder.Forward(w, r, target, path)
	return nil
}

// follow returns the service that the rules of the named one choose.
func (b *Bridge) follow(r *http.Request, service, path string) (string, error) {
	if b.opts.Resolver == nil {
		return service, nil
	}
	rules, err := routing.Rules(r.Context(), b.opts.Resolver, service)
	if err != nil {
		return service, err
	}
	return routing.Follow(rules, routing.Asked{Service: service, Path: path, Header: r.Header}, rand.IntN), nil
}
