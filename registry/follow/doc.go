// Package follow keeps a routing table equal to the truth: it asks for a
// snapshot, applies the changes that come after it, and notices by itself when
// it missed one.
//
//	table := follow.New(follow.Options{Source: client, Realm: "local"})
//	table.Start()
//	defer table.Close()
//
//	service, err := table.Resolve(ctx, "identity") // first use follows the service
//	…
//	now, changed := table.Table()
//	<-changed // there is a newer one
//
// A client follows the services it calls, each from its first use. A sidecar
// may follow its whole realm.
//
// # How it follows
//
// For each interest it listens and keeps what it hears, asks for the snapshot,
// and applies what is newer than that. It asks again after a lost connection,
// a change whose predecessor it has not seen, a digest that stays different,
// and a new epoch; with jitter where everybody has the same reason, with
// back-off where it is in vain. Until the answer it goes on with what it has,
// and with changes that fit. The table is never emptied because the registry
// is away, and an emptied registry empties nobody at once: what its snapshot
// lacks stays as suspect for one lease.
//
// One goroutine does all of it, one turn after the other (see loop.go). Between
// its turns a change is applied right where it was heard: to wake a goroutine
// for it would cost as much again. Readers load an immutable table from an
// atomic pointer: no lock, no allocation.
package follow
