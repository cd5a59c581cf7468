package sidecar

// What data planes measure, in OpenTelemetry's stable names (semantic
// conventions for HTTP metrics), by seconds. A plane is a server to callers and
// a client to instances.
const (
	// MetricServed is of what callers got, by service: from a request's header
	// to the end of the answer.
	MetricServed = "http.server.request.duration"
	// MetricSent is of the attempts at instances, by service and instance: to
	// the header of the answer.
	MetricSent = "http.client.request.duration"
)

// Their attributes. The service and the instance are no attribute of
// OpenTelemetry's; server.address, of attempts, is the service too.
const (
	AttrMethod   = "http.request.method"
	AttrStatus   = "http.response.status_code"
	AttrError    = "error.type"
	AttrScheme   = "url.scheme"
	AttrAddress  = "server.address"
	AttrRealm    = "fairlead.realm"
	AttrService  = "fairlead.service"
	AttrInstance = "fairlead.instance"
)
