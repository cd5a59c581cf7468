package builtin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// ServiceHeader names the service a request is for. It speaks to this hop
// alone, so it is not forwarded: a service that copies the headers it got to
// its own calls would otherwise call itself.
const ServiceHeader = "Fairlead-Service"

// hostSuffixes are the domains in which every label is a service.
var hostSuffixes = []string{".service.internal", ".service"}

const ways = "name a service by the header Fairlead-Service: NAME, by the host NAME.service or NAME.service.internal, or use this address as http_proxy for such hosts"

// serviceOf tells which service a request names, by header, host or absolute
// request target. hosts are names of this listener besides the obvious ones.
func serviceOf(r *http.Request, hosts []string) (string, *problem.Problem) {
	if r.Method == http.MethodConnect {
		return "", refused(http.StatusForbidden, "host-refused", "tunnels (CONNECT) are not offered: call services by http://NAME.service/")
	}
	if named := r.Header.Values(ServiceHeader); len(named) > 0 {
		return serviceByHeader(r, named, hosts)
	}
	host := hostname(r.Host)
	if service, ok := serviceByHost(host); ok {
		return checked(service, "host")
	}
	return "", notNamed(r, host, hosts)
}

func serviceByHeader(r *http.Request, named, hosts []string) (string, *problem.Problem) {
	if len(named) > 1 {
		return "", refused(http.StatusBadRequest, "invalid-service", fmt.Sprintf("%s: must be given once, got %d", ServiceHeader, len(named)))
	}
	// A page in a browser can send any header to a name of its own that it
	// has resolve to this address, and only the host gives it away.
	if !r.URL.IsAbs() && !trusted(hostname(r.Host), hosts) {
		return "", refused(http.StatusMisdirectedRequest, "host-refused", fmt.Sprintf("%q is not a name of this sidecar; if it should be, allow it there", r.Host))
	}
	return checked(strings.TrimSpace(named[0]), ServiceHeader)
}

func checked(service, field string) (string, *problem.Problem) {
	err := registry.ValidateName(field, service)
	if err == nil {
		return service, nil
	}
	p := refused(http.StatusBadRequest, "invalid-service", err.Error())
	p.Errors.Add(err)
	return "", p
}

func serviceByHost(host string) (string, bool) {
	for _, suffix := range hostSuffixes {
		if service, ok := strings.CutSuffix(host, suffix); ok {
			return service, true
		}
	}
	return "", false
}

func notNamed(r *http.Request, host string, hosts []string) *problem.Problem {
	switch {
	case r.URL.IsAbs():
		return refused(http.StatusForbidden, "host-refused", fmt.Sprintf("%q is not a service: this proxy serves NAME.service and NAME.service.internal only", host))
	case ownName(host, hosts):
		return refused(http.StatusBadRequest, "service-not-named", "no service is named: "+ways)
	}
	return refused(http.StatusMisdirectedRequest, "host-refused", fmt.Sprintf("%q is not a service: %s", host, ways))
}

func refused(status int, code, detail string) *problem.Problem {
	p := problem.New(status, code, detail)
	p.Processed = problem.NotProcessed
	return p
}

// trusted tells whether a page of a stranger cannot have this host: it is the
// listener's own, a service's, or a name that public DNS does not serve.
func trusted(host string, hosts []string) bool {
	_, service := serviceByHost(host)
	return service || ownName(host, hosts) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local")
}

func ownName(host string, hosts []string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(hosts, host)
}

// addressedToSelf tells whether a request names no service and comes to the
// listener under a name of its own.
func addressedToSelf(r *http.Request, hosts []string) bool {
	return r.Header.Values(ServiceHeader) == nil && !r.URL.IsAbs() && ownName(hostname(r.Host), hosts)
}

// hostname returns the host in lower case, without port, brackets or the dot
// of a fully qualified name.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
