package main

import (
	"fmt"

	"fairlead.dev/connect"
	"fairlead.dev/sidecar/nameserver"
	"fairlead.dev/sidecar/takeover"
)

// newNameserver answers DNS queries from the session's table. TCP comes first
// to pick a port: its ports are scarcer, because connections have them too.
func newNameserver(set *settings, process *takeover.Process, session *connect.Session, address string) (*nameserver.Server, error) {
	listener, err := listenBy(process.Listen, "dns", address)
	if err != nil {
		return nil, err
	}
	packets, err := process.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		closeQuietly(listener)
		return nil, fmt.Errorf("--dns: %w", err)
	}
	return nameserver.New(nameserver.Options{
		Realm: set.realm, Resolver: session.Table(), Packets: packets, Listener: listener, Logger: set.logger(),
	})
}
