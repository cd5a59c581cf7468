// Package builtin is the data plane that needs nothing installed: an HTTP
// proxy on the host's loopback that forwards each request to an instance of
// the service it names. There are three ways to name one:
//
//	curl -H 'Fairlead-Service: identity' http://127.0.0.1:4000/users/1   # by header; it wins
//	curl --connect-to ::127.0.0.1:4000 http://identity.service/users/1   # by host, also identity.service.internal
//	http_proxy=http://127.0.0.1:4000 curl http://identity.service/users/1 # as a forward proxy
//
// Where that is allowed, identity.REALM.service is the service of another
// realm, a listener may be one service's own, and as a forward proxy other
// hosts pass. HTTP/1.1 and HTTP/2 without TLS (from the first byte on) are
// spoken.
//
// A service's rules may send some of its requests to other services, by path,
// header or weight; package route says how.
//
// A caller tells in Fairlead-Timeout for how many milliseconds it waits; the
// request ends then, and the instance is told what is left of it.
//
// Answers of a service pass unchanged: streams, server-sent events, trailers,
// upgrades such as WebSocket, 1xx answers. A request is repeated on another
// instance only if it was never sent, or is a GET, HEAD or OPTIONS without a
// body.
//
// # Errors
//
// The proxy's own errors are RFC 9457 problems with the header [ErrorHeader],
// which no answer of a service has: it is removed there. The status tells what
// happened to the request:
//
//	400  service-not-named, invalid-service, invalid-route
//	     invalid-request: it cannot be read         nothing was sent
//	431  header-too-large: 64 KiB, or 100 lines     nothing was sent
//	403  route-refused: the service's policy does not permit Fairlead-Route
//	403  host-refused: another host, or CONNECT     nothing was sent
//	421  host-refused: a host that is no service    nothing was sent
//	421  realm-refused: another realm, 403 by proxy nothing was sent
//	503  no-such-service, no-such-instance, none-enabled, registry-never-seen, unreachable
//	     no instance saw the request; Retry-After says when to try again
//	503  overloaded: --max-connections are at work  nothing was sent
//	502  no-answer                                  it may have been processed
//	504  timeout                                    it may have been processed, unless "processed" says no
//	508  loop                                       this instance saw it too often
//
// A service without instances is a 503 and never a 404: callers would take a
// 404 for the service's own word that the resource does not exist, and caches
// may keep it (RFC 9110 §15.1), while the service may only be restarting.
package builtin
