// Package worker is the part of a measurement that runs in a process of its
// own: the clients of one system. The benchmark starts itself as a worker and
// tells it over its standard input what to do; a worker ends when that is
// closed, so none is left behind.
//
//	w, err := worker.Start(ctx, self, worker.Job{System: "etcd", Place: place})
//	err = w.Dial(ctx, 20)
//	err = w.Follow(ctx, worker.FollowArgs{Service: "s", Listeners: 1000})
//	err = w.Expect(ctx, map[systems.Key]systems.State{key: systems.Disabled})
//	… another worker flips the flag …
//	reached, err := w.Reached(ctx, key)
//
// Times are of package clock, which all processes share.
package worker
