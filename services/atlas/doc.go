// Package atlas is the registry's server: the control-plane service that owns
// the truth about every instance of every realm.
//
// The truth is a KV bucket. A request is checked, written by compare-and-set,
// and answered once it has been applied:
//
//	request ─► decide ─► compare-and-set ─► bucket ─► republished ─► model ─► routes, digest, events
//	                                          ▲
//	                            a person's `nats kv put`
//
// All that Atlas tells the world is derived from the bucket's entries as they
// are applied, in the order of the stream, and never from a request. So a hand
// edit takes effect like any other change, and a node that starts replays the
// bucket's history through the same code.
//
//	node, err := atlas.Start(ctx, atlas.Options{Conn: conn})
//	defer node.Stop(ctx)
//
// One goroutine owns the model and the leases (see node.go). Requests run in
// goroutines of their own and ask it.
package atlas
