package bridge

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"fairlead.dev/sidecar/problem"
)

// guard refuses requests that a page of a stranger may have caused in a
// browser on this host. Such a page reaches loopback in two ways: by a name of
// its own that it has resolve to 127.0.0.1, which the Host gives away, and by
// plain cross-origin requests, which browsers mark.
func guard(r *http.Request, hosts []string) *problem.Problem {
	if !knownHost(r.Host, hosts) {
		return problem.New(http.StatusMisdirectedRequest, "host-refused", fmt.Sprintf("Host: must be localhost, an IP address or a configured name, got %.80q", r.Host))
	}
	if !sameOrigin(r) {
		return problem.New(http.StatusForbidden, "origin-refused", "Origin: requests that pages of other origins cause are refused")
	}
	return nil
}

// knownHost tells whether hostport is loopback by name, any address (no name
// was resolved, so none was bound anew), or configured.
func knownHost(hostport string, hosts []string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(hosts, host)
}

// sameOrigin tells whether a request was caused by no page, or by one of ours.
// Browsers leave Origin out of simple GETs, but not Sec-Fetch-Site.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return false
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	return true
}
