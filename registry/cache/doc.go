// Package cache keeps routing tables on disk, so that a program that starts
// while the registry is away knows where to send its requests.
//
//	store := cache.New(cache.Options{Dir: "/home/ana/.cache/fairlead/127.0.0.1_4222"})
//	table := follow.New(follow.Options{Source: client, Realm: "local", Cache: store})
//
// Each interest has a file, DIR/REALM/realm.table or
// DIR/REALM/services/SERVICE.table, and the one before it beside it, with
// ".old". A file is written under another name, synced, and then renamed, so
// whoever reads finds a whole one; several processes may share a directory. It
// has a checksum: a damaged file is put aside as ".damaged" and told of, and
// the older one serves. When the table was last known to be current is the
// file's time of modification.
//
// Files belong to their owner alone: they tell where everything listens.
package cache
