// Package registrar keeps one instance registered for as long as its program
// wants it to be: through restarts of the registry, of the bus, and through a
// registry that forgot it.
//
//	r, err := registrar.New(registrar.Options{
//		Atlas: client, Beater: client, OnConnect: conn.OnConnect,
//		Key:          registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"},
//		Registration: registry.Registration{Host: "127.0.0.1", Port: 5000, Health: "/health/ready"},
//		Health:       func() (registry.Status, int, float64) { return registry.Passing, 0, 0 },
//	})
//	if err != nil { … }
//	r.Start()
//	err = r.Registered(ctx) // optional: wait for the first answer
//	…
//	err = r.Drain(ctx) // no new requests
//	err = r.Stop(ctx)  // deregister
//
// A refusal is not the end of it: it is told, by Registered, Problem and the log,
// and tried again every half minute, because what it was for may be changed
// where the registry is.
//
// Most heartbeats are only published. The first one after each reconnect,
// every fifth, and any that follows a failure or reports a changed status is a
// request: its answer says whether the registry still knows the instance.
package registrar
