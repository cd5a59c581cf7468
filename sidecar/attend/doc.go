// Package attend keeps a program registered that knows nothing of Fairlead: it
// checks the program's health from outside, registers it once it is healthy,
// and reports what the checks find in its heartbeats.
//
//	a, err := attend.New(attend.Options{
//		Spec: attend.Spec{
//			Key:          registry.Key{Realm: "local", Service: "greeting", Instance: "host001-5001"},
//			Registration: registry.Registration{Host: "127.0.0.1", Port: 5001, Health: "/health"},
//			Check:        attend.Check{Interval: time.Second},
//		},
//		Atlas: client, Beater: client, OnConnect: conn.OnConnect,
//	})
//	if err != nil { … }
//	go a.Run(ctx)           // until ctx ends, then deregisters
//	err = a.Registered(ctx) // healthy, and known to the registry
//	…
//	err = a.Drain(ctx)      // no new requests
//
// `fairlead run` attends the program that it starts.
package attend
