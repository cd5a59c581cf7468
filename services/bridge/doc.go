// Package bridge speaks HTTP for the registry, so that a program in any
// language, or a person with curl, can do what our libraries do:
//
//	base=http://127.0.0.1:4300/v1/realms/local/services/identity
//	curl -X PUT  $base/instances/host001-5000 -d '{"host":"127.0.0.1","port":5000}'
//	curl -X POST $base/instances/host001-5000/heartbeat
//	curl $base
//	curl -X PUT  $base/instances/host001-5000/enabled -d '{"enabled":false,"reason":"upgrade"}'
//	curl -N -H 'Accept: text/event-stream' http://127.0.0.1:4300/v1/realms/local/routes
//	curl http://127.0.0.1:4300/call/identity/users/1
//
// A [Bridge] is an http.Handler over the ports of package registry; the
// document that describes its requests and answers is served at /openapi.json.
// It holds no truth: registrations live in Atlas. All it keeps is the tokens of
// the leases that were asked for here, so that a heartbeat needs no body, and a
// short history of changes for readers of the stream that come back.
//
// It has no users and no passwords, so it answers only callers that are plainly
// not a page of a stranger in somebody's browser: the Host must be loopback, an
// address or a configured name, and a request that a browser says another
// origin caused is refused.
package bridge
