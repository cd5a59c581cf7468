// Package takeover lets a process be replaced by a new one of a newer program
// without a connection refused or lost: the new one gets the listeners, whose
// queues go on, and the old one ends once the new one is ready.
//
//	p, err := takeover.FromEnvironment(takeover.Options{})
//	listener, err := p.Listen("tcp", "127.0.0.1:4000") // inherited, or a new one
//	… serve …
//	err = p.Ready(ctx)   // from here on this process is the one
//	…
//	err = p.Upgrade(ctx) // starts the program again, and waits for its Ready
//	… end, letting what is in flight finish …
//	p.Release()          // the successor may take the rest over
//
// An Upgrade that fails leaves everything as it was: the new process is gone,
// and this one goes on.
//
// It speaks systemd's protocols: listeners of a .socket unit are taken by their
// address (sd_listen_fds(3)), and the service manager is told when the process
// is ready, that another one is the main process now, that it is still alive,
// and that it stops (sd_notify(3)). Without a service manager all that is
// nothing.
package takeover
