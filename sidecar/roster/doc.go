// Package roster keeps the programs of a host registered that have no library
// of ours and are not started by `fairlead run`: databases, third-party
// servers, whatever systemd runs. Each is declared by a small YAML file:
//
//	# /etc/fairlead/services.d/greeting.yaml
//	name: greeting          # the service; required
//	port: 5001              # required
//	host: 10.0.0.7          # 127.0.0.1 by default
//	instance: host001-5001  # the host's name and the port by default
//	scheme: http
//	health: /health         # GET answers 2xx; without it a TCP connect has to do
//	check:
//	  command: [/usr/bin/pg_isready, -q]  # instead: 0 passing, 1 warning, else critical
//	  interval: 1s
//	  timeout: 1s
//	  rise: 1
//	  fall: 2
//	tags: [blue, canary]    # in the metadata, joined by commas
//	version: 1.4.2
//	zone: a
//	weight: 100
//	metadata: {git: 9c2f1d}
//
// A [Roster] looks into the directory again and again:
//
//	r := roster.New(roster.Options{Dir: "/etc/fairlead/services.d", Realm: "local", Atlas: client, Beater: client, OnConnect: conn.OnConnect})
//	err := r.Run(ctx) // until ctx ends
//
// A program is registered once its checks find it healthy (see package attend).
// When its file goes, it is drained and deregistered. A file that makes no
// sense is told of by its line and field, and what it said before stays in
// force; so does everything when the directory itself is away.
//
// The end of a roster says nothing of the programs, which go on: it leaves
// their registrations as they are. Until a roster takes them up again, Atlas
// probes them and drops those that are gone.
package roster
