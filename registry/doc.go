// Package registry is the domain of Fairlead: what an instance is, when it may
// be used, and what a routing table looks like. It is pure. It opens no
// connection, starts no goroutine and imports nothing of the platform, so the
// registry's server, its clients, the sidecar and the tests share one meaning
// of every word.
//
// An instance registers under a [Key] (realm, service, instance id) with a
// [Registration] (where it listens). Atlas keeps the registration, the
// operators' overrides ([Flag], [Weight], [Drain]) and the health that
// heartbeats report, and folds them into one [Instance], the view that travels
// to everybody who routes requests. A [Table] is an immutable set of such
// views:
//
//	table := registry.NewTable("local", "3f9c")
//	table = table.WithService("identity", 7, []registry.Instance{{
//		Service: "identity", ID: "host001-5000",
//		Scheme: "http", Host: "127.0.0.1", Port: 5000,
//		Status: registry.Passing, Enabled: true,
//	}})
//	candidates, err := table.Service("identity").Candidates()
//
// The ports through which programs reach a registry ([Atlas], [Source],
// [Resolver]) are interfaces here too; implementations live in folders below.
package registry
