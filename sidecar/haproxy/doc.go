// Package haproxy is the data plane for production: it starts HAProxy, keeps it
// running, and makes it equal to every table it is given.
//
//	plane, err := haproxy.New(haproxy.Options{Realm: "local", Addr: "127.0.0.1:4000", Data: "/var/lib/fairlead"})
//	err = sidecar.New(plane, watcher, sidecar.Options{}).Run(ctx)
//
// # Slots
//
// The configuration has backends without a name of their own, s0, s1 and so on,
// more than there are services. A map says which service has which:
//
//	identity  s0     requests for identity go to backend s0
//	billing   n1     s1 is billing's, but it has no instance that may be used
//	vault     a2     the sidecar itself carries it, see [Aside]
//	search    a      that too, and there is no slot for it
//
// So a new service is an entry of the map, and an instance is a server that is
// added through the runtime API: neither needs a reload. A server's name says
// what it is, host001-5000_10.0.0.7:5000, and its address never changes: an
// instance that moves is another server.
//
// # Keeping it equal
//
// One goroutine compares what the table wants with what HAProxy has, and sends
// the difference ([plan], a pure function) as one line of commands. Every few
// seconds, and whenever something went wrong, it asks HAProxy what it really
// has, so that it does not matter who changed it or whether it is a new one.
//
// A server that no instance stands behind any more is put into maintenance,
// and deleted once it has been there for a while without a connection. The
// configuration and the map on disk follow a moment later, so that HAProxy
// starts with what it had.
//
// HAProxy is reloaded only if its structure changes: more services than slots,
// or other options. The new configuration is checked first.
//
// HAProxy runs in a session of its own and outlives a sidecar that is killed.
// The next one on the same folder finds it and goes on with it.
//
// # Somebody else's
//
// With [Options.Attach] the plane keeps a HAProxy equal that somebody else runs,
// from what [Configuration] returns. If that has to be reloaded the plane leaves
// the new configuration and says so; until then the sidecar carries what HAProxy
// lacks.
package haproxy
