// Package memory is a registry in the memory of one process. It behaves like
// Atlas on a bus (leases, incarnations, tokens, conflicts, overrides, changes
// in order, snapshots, digests), passes the same contract suite, and breaks on
// demand, so whatever rests on a registry can be tested without one:
//
//	reg := memory.New(memory.Options{})
//	defer reg.Close()
//	table := follow.New(follow.Options{Source: reg, Realm: "local", WholeRealm: true})
//	…
//	reg.GoAway()   // requests fail, nothing is heard
//	reg.ComeBack() // listeners are told that they may have missed something
//
// Time is time.Now and time.AfterFunc, so in a testing/synctest bubble it is
// virtual.
package memory
