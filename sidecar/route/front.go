package route

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

// A Front is what a listener is told of itself: whose requests it takes.
type Front struct {
	// Realm is that of services that are named without one, and Realms are
	// further ones that may be named by host.
	Realm  string
	Realms []string
	// Service, if set, has every request for itself, whatever it names.
	Service string
	// Hosts are the listener's own names in lower case, besides loopback and
	// addresses.
	Hosts []string
	// Others has hosts that are no service pass, for a proxy of everything.
	Others bool
}

// A Target is what a request is for: a service, or else a host that is none.
type Target struct {
	Realm, Service string
	// Host is that of a request for something else, with its port if it named
	// one.
	Host string
}

// Target tells what a request is for. A refusal says what was wrong with it
// and that nothing was sent.
func (f Front) Target(r *http.Request) (Target, *problem.Problem) {
	host := hostname(r.Host)
	switch named := r.Header[ServiceHeader]; {
	case f.Service != "":
		return f.own(r, host)
	case r.Method == http.MethodConnect:
		return f.tunnel(r, host)
	case len(named) > 0:
		return f.byHeader(r, host, named)
	}
	if name, ok := serviceHost(host); ok {
		return f.byHost(r, name)
	}
	if f.Others && r.URL.IsAbs() {
		return Target{Host: r.Host}, nil
	}
	return Target{}, f.notNamed(r, host)
}

// own takes a request at a service's own listener.
func (f Front) own(r *http.Request, host string) (Target, *problem.Problem) {
	switch {
	case r.Method == http.MethodConnect:
		return Target{}, noTunnel()
	case !f.trusts(host):
		return Target{}, f.stranger(r)
	}
	return Target{Realm: f.Realm, Service: f.Service}, nil
}

func (f Front) tunnel(r *http.Request, host string) (Target, *problem.Problem) {
	if _, service := serviceHost(host); service || !f.Others {
		return Target{}, noTunnel()
	}
	return Target{Host: r.Host}, nil
}

func noTunnel() *problem.Problem {
	return refused(http.StatusForbidden, "host-refused", "tunnels (CONNECT) are not offered: call services by http://NAME.service/")
}

func (f Front) byHeader(r *http.Request, host string, named []string) (Target, *problem.Problem) {
	if len(named) > 1 {
		return Target{}, refused(http.StatusBadRequest, "invalid-service", fmt.Sprintf("%s: must be given once, got %d", ServiceHeader, len(named)))
	}
	// A page in a browser can send any header to a name of its own that it
	// has resolve to this address, and only the host gives it away.
	if !r.URL.IsAbs() && !f.trusts(host) {
		return Target{}, f.stranger(r)
	}
	return f.named(strings.TrimSpace(named[0]), ServiceHeader)
}

func (f Front) stranger(r *http.Request) *problem.Problem {
	return refused(http.StatusMisdirectedRequest, "host-refused", fmt.Sprintf("%q is not a name of this sidecar; if it should be, allow it there", r.Host))
}

// byHost takes NAME or NAME.REALM.
func (f Front) byHost(r *http.Request, name string) (Target, *problem.Problem) {
	service, realm, foreign := strings.Cut(name, ".")
	if !foreign || strings.Contains(realm, ".") {
		return f.named(name, "host")
	}
	target, refusal := f.named(service, "host")
	switch {
	case refusal != nil || realm == f.Realm:
		return target, refusal
	case !slices.Contains(f.Realms, realm):
		return Target{}, f.otherRealm(r, realm)
	}
	target.Realm = realm
	return target, nil
}

func (f Front) otherRealm(r *http.Request, realm string) *problem.Problem {
	status := http.StatusMisdirectedRequest
	if r.URL.IsAbs() {
		status = http.StatusForbidden
	}
	return refused(status, "realm-refused", fmt.Sprintf("realm: this sidecar serves %s, not %q; another realm must be allowed where it is started", strings.Join(append([]string{f.Realm}, f.Realms...), ", "), realm))
}

func (f Front) named(service, field string) (Target, *problem.Problem) {
	err := registry.ValidateName(field, service)
	if err == nil {
		return Target{Realm: f.Realm, Service: service}, nil
	}
	p := refused(http.StatusBadRequest, "invalid-service", err.Error())
	p.Errors.Add(err)
	return Target{}, p
}

func (f Front) notNamed(r *http.Request, host string) *problem.Problem {
	switch {
	case r.URL.IsAbs():
		return refused(http.StatusForbidden, "host-refused", fmt.Sprintf("%q is not a service: this proxy serves NAME.service and NAME.service.internal only", host))
	case f.isOwnName(host):
		return refused(http.StatusBadRequest, "service-not-named", "no service is named: "+ways)
	}
	return refused(http.StatusMisdirectedRequest, "host-refused", fmt.Sprintf("%q is not a service: %s", host, ways))
}

func refused(status int, code, detail string) *problem.Problem {
	p := problem.New(status, code, detail)
	p.Processed = problem.NotProcessed
	return p
}

// ToSelf tells whether a request names no service and comes to the listener
// under a name of its own.
func (f Front) ToSelf(r *http.Request) bool {
	return f.Service == "" && r.Header[ServiceHeader] == nil && !r.URL.IsAbs() && f.isOwnName(hostname(r.Host))
}

// trusts tells whether a page of a stranger cannot have this host: it is the
// listener's own, a service's, or a name that public DNS does not serve.
func (f Front) trusts(host string) bool {
	_, service := serviceHost(host)
	return service || f.isOwnName(host) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local")
}

func (f Front) isOwnName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(f.Hosts, host)
}

// serviceHost returns what stands before the domain of services.
func serviceHost(host string) (string, bool) {
	for _, suffix := range hostSuffixes {
		if name, ok := strings.CutSuffix(host, suffix); ok {
			return name, true
		}
	}
	return "", false
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
