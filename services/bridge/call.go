package bridge

import (
	"net/http"
	"net/url"
	"strings"

	"fairlead.dev/registry"
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
// bridge's own realm.
func (b *Bridge) call(w http.ResponseWriter, r *http.Request, escapedService, path string) error {
	service, err := url.PathUnescape(escapedService)
	if err != nil {
		service = escapedService
	}
	if err := registry.ValidateName("service", service); err != nil {
		return err
	}
	// Services that build links from it lead the caller back here.
	r.Header.Set("X-Forwarded-Prefix", callPrefix+service)
	b.opts.Forwarder.Forward(w, r, service, path)
	return nil
}
