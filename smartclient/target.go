package smartclient

import (
	"fmt"
	"net/url"

	"fairlead.dev/registry"
)

// scheme is that of URLs which name a service.
const scheme = "service"

// serviceOf returns the service that a service URL names. The error says on
// one line what is wrong with the URL.
func serviceOf(u *url.URL) (string, error) {
	if u.Host == "" {
		return "", fmt.Errorf("service URL %q: host: must name a service, as in service://identity/users/1", u.Redacted())
	}
	if err := registry.ValidateName("host", u.Host); err != nil {
		return "", fmt.Errorf("service URL: %w", err)
	}
	return u.Host, nil
}
