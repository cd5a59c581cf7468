// Package proxies starts the proxies that bench-sidecar compares, each alone
// on one core before the same backend, and loads them.
//
//	all := proxies.All(proxies.Programs{Fairlead: "bin/fairlead", Caddy: "bin/bench-caddy"})
//	running, err := all[0].Start(place)
//	defer running.Stop()
//	load, err := proxies.Wrk(ctx, running.URL(), 64, 3*time.Second)
//
// A request names the service identity in the header Fairlead-Service, and
// every proxy chooses the backend by that header.
package proxies
