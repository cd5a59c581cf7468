// Package connect gives a program everything that calling services takes: the
// bus that the environment names, the registry on it, a routing table that
// follows, and a client that calls services by name. The shortest way is
//
//	resp, err := connect.Get("service://identity/users/1")
//
// with functions for what [smartclient.Client] can do, and [Default] for the
// client itself. With FAIRLEAD_SIDECAR set they call by that sidecar and need no
// bus. Who needs more has a session:
//
//	session, err := connect.Open(ctx, connect.Options{Name: "report"})
//	if err != nil { … }
//	defer session.Close(ctx)
//
//	resp, err := session.Client().Get("service://identity/users/1")
//
// Open does not wait for the bus: a program may start before it, and what it
// asks for meanwhile fails with [registry.ErrNeverSeen] or
// [registry.ErrUnavailable] after a bounded wait. FAIRLEAD_REALM chooses the
// realm and FAIRLEAD_NATS_URL the bus; both have defaults that fit
// `fairlead up` on the same machine.
//
// A program that is called, too, uses package smartservice.
package connect
