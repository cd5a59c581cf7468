// Package atlasclient speaks to Atlas over the bus. A [Client] is the
// registry's ports in one: [registry.Atlas], [registry.Beater] and
// [registry.Source].
//
//	conn, err := bus.Connect(ctx, bus.Options{Name: "identity"})
//	if err != nil { … }
//	client := atlasclient.New(conn, atlasclient.Options{})
//
//	key := registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
//	lease, err := client.Register(ctx, key, registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{})
//	switch {
//	case errors.Is(err, registry.ErrUnavailable): // no Atlas answered: try again
//	case errors.Is(err, registry.ErrConflict):    // somebody else has the id
//	}
//
// Nobody listening is known at once; an Atlas that is slow, when the context
// is done. Most programs want what rests on this: registry/registrar and
// registry/follow, wired up by package connect.
package atlasclient
