// Package nameserver answers DNS queries for services from the routing table,
// for programs that must resolve names and can use neither the sidecar's
// address nor http_proxy:
//
//	s, err := nameserver.New(nameserver.Options{Realm: "local", Resolver: table, Packets: udp, Listener: tcp})
//	err = s.Run(ctx)
//
//	dig -p 4053 @127.0.0.1 identity.service A      # where instances are
//	dig -p 4053 @127.0.0.1 identity.service SRV    # and at which ports
//
// It has the zones service. and service.internal., in which these names are:
//
//	NAME.service                     A, AAAA, SRV: the usable instances, in random order
//	NAME.REALM.service               the same, for the realm of this host
//	ID.instance.NAME.service         A, AAAA: one usable instance, the target of SRV
//
// Answers have a TTL of 0, and so have refusals: instances come and go, and who
// asks again gets what is true then. A service without a usable instance has no
// records (NODATA), an unknown one does not exist (NXDOMAIN), and while the
// registry was never seen the answer is SERVFAIL. Names of other zones are
// REFUSED: this is no resolver.
package nameserver
