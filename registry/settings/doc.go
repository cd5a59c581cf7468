// Package settings keeps at hand the settings of one service: it reads them
// all, follows every change, and goes on with what it knows while the registry
// is away.
//
//	k := settings.New(settings.Options{
//		Source: client, OnConnect: conn.OnConnect,
//		Key:     registry.ServiceKey{Realm: "local", Service: "identity"},
//		Changed: func(names []string) { … },
//	})
//	k.Start()
//	defer k.Close()
//	err := k.Loaded(ctx) // optional: wait for the first answer
//	greeting, ok := k.Values().Lookup("GREETING")
//
// For each name the newest revision counts, whether it was read or heard. All
// are read again after each reconnect and about once a minute, so that whatever
// was missed is made good. A bucket of another epoch, or one that has gone back
// in time, replaces everything that was known.
package settings
