package haproxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"fairlead.dev/sidecar/problem"
)

// An answer is one of HAProxy's own, a problem as the built-in plane gives it.
// Its detail may hold expressions of HAProxy's log format, %[…]; they may
// yield only what was checked or is escaped there.
type answer struct {
	status    int
	code      string
	detail    string
	processed problem.Processed
	// when is the condition; empty means always.
	when string
}

// hostText is the host of a request, fit to stand within a JSON text.
const hostText = `%[req.hdr(host),json(utf8s)]`

const ways = "name a service by the header Fairlead-Service: NAME, by the host NAME.service or NAME.service.internal, or use this address as http_proxy for such hosts"

// refusals are looked at before a request is.
func refusals(others bool) []answer {
	noTunnel := "METH_CONNECT"
	if others {
		noTunnel += " of_services"
	}
	return append(unsafe(),
		tunnel(noTunnel),
		answer{400, "invalid-service", "Fairlead-Service: must be given once", problem.NotProcessed, "{ req.fhdr_cnt(fairlead-service) gt 1 }"},
		stranger("named !at_home !absolute !trusted !METH_CONNECT"),
	)
}

// refusalsOfService are those at a service's own door.
func refusalsOfService() []answer {
	return append(unsafe(), tunnel("METH_CONNECT"), stranger("!at_home !trusted"))
}

// unsafe is what must not be passed on, whoever it is for.
func unsafe() []answer {
	return []answer{
		// HAProxy would pass both on, and instances read them in different ways.
		{400, "invalid-request", "a request of HTTP/1.0 must not have Transfer-Encoding", problem.NotProcessed, "HTTP_1.0 { req.hdr(transfer-encoding) -m found }"},
		{400, "invalid-request", "a header must not have NUL in it", problem.NotProcessed, `{ req.hdrs -m reg '\x00' }`},
		{508, "loop", "the request came by here too often, see its Via header: does an instance's address lead back to a proxy?", problem.NotProcessed, "{ req.hdr_cnt(via) ge 16 }"},
	}
}

func tunnel(when string) answer {
	return answer{403, "host-refused", "tunnels (CONNECT) are not offered: call services by http://NAME.service/", problem.NotProcessed, when}
}

func stranger(when string) answer {
	return answer{421, "host-refused", hostText + " is not a name of this sidecar; if it should be, allow it there", problem.NotProcessed, when}
}

// endings are for requests that have no slot to go to; the first counts.
func endings(realms string) []answer {
	const service = "%[var(txn.service)]"
	return []answer{
		{400, "invalid-service", "the service that Fairlead-Service or the host names must not be empty and must be a lower-case DNS label: 1 to 63 of a-z, 0-9 and '-', with no '-' at either end", problem.NotProcessed, "service_named !service_valid"},
		{503, "none-enabled", "every instance of " + service + " is disabled or draining", problem.NotProcessed, "{ var(txn.slot) -m beg n }"},
		{503, "registry-never-seen", "the registry has not answered yet, so nothing is known of " + service, problem.NotProcessed, "service_named !seen"},
		{503, "no-such-service", "no instance of " + service + " is registered", problem.NotProcessed, "service_named"},
		{403, "realm-refused", "realm: this sidecar serves " + realms + ", not " + hostText + "; another realm must be allowed where it is started", problem.NotProcessed, "of_realm absolute"},
		{421, "realm-refused", "realm: this sidecar serves " + realms + ", not " + hostText + "; another realm must be allowed where it is started", problem.NotProcessed, "of_realm"},
		{400, "invalid-service", "host: " + hostText + " must be NAME.service or NAME.service.internal", problem.NotProcessed, "of_services"},
		{403, "host-refused", hostText + " is not a service: this proxy serves NAME.service and NAME.service.internal only", problem.NotProcessed, "absolute"},
		{400, "service-not-named", "no service is named: " + ways, problem.NotProcessed, "!{ req.hdr(host) -m found }"},
		{421, "host-refused", hostText + " is not a service: " + ways, problem.NotProcessed, ""},
	}
}

// failures are what HAProxy answers when something did not work.
func failures() []answer {
	return []answer{
		{400, "bad-request", "the request is malformed, ambiguous or has a header that is too large", problem.NotProcessed, ""},
		{408, "request-timeout", "the request's header did not come in time", problem.NotProcessed, ""},
		{500, "internal", "the proxy failed", problem.MaybeProcessed, ""},
		{502, "no-answer", "an instance broke off before it answered", problem.MaybeProcessed, ""},
		{503, "unreachable", "no instance of %[var(txn.service)] could be reached", problem.NotProcessed, ""},
		{504, "timeout", "the service did not answer in time", problem.MaybeProcessed, ""},
	}
}

// asideFailure is said when the sidecar does not run, whom a request was handed
// to.
func asideFailure() answer {
	return answer{503, "unreachable", "the sidecar itself does not answer, which it has to for this request: those that name a service, and no instance of it, are forwarded all the same", problem.NotProcessed, ""}
}

// text is the answer as rules of the configuration take it.
func (a answer) text() string {
	p := problem.New(a.status, a.code, a.detail)
	p.Processed = a.processed
	// Encoding a struct of strings and numbers cannot fail.
	body, _ := json.Marshal(p)
	kind := "string"
	if strings.Contains(a.detail, "%[") {
		kind = "lf-string"
	}
	text := fmt.Sprintf("status %d content-type %s %s %s hdr Fairlead-Error %s hdr Cache-Control no-store hdr X-Content-Type-Options nosniff",
		a.status, problem.ContentType, kind, quote(string(body)), a.code)
	if a.status == http.StatusServiceUnavailable {
		text += " hdr Retry-After 1"
	}
	if a.when != "" {
		text += " if " + a.when
	}
	return text
}

func texts(answers []answer) []string {
	list := make([]string, len(answers))
	for i, a := range answers {
		list[i] = a.text()
	}
	return list
}
