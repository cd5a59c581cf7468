// Package sidecar keeps a host's data plane equal to the routing table, so
// that a program in any language reaches a service by name at a local address:
//
//	curl -H 'Fairlead-Service: identity' http://127.0.0.1:4000/users/1
//
// A [DataPlane] carries the requests: the built-in proxy of package builtin,
// or HAProxy. A [Sidecar] runs one and hands it every newer table of a
// [registry.Watcher], always in full:
//
//	s := sidecar.New(plane, watcher, sidecar.Options{})
//	err := s.Run(ctx) // until ctx ends, or the plane fails
//
// Tables that come while one is being applied are coalesced into the newest. A
// plane that refuses a table keeps what it has and is offered the newest again
// with back-off. A table is never emptied because the registry is away: one
// that nobody ever confirmed is not applied at all.
package sidecar
