package builtin

import (
	"net"
	"testing"

	"fairlead.dev/sidecar/planetest"
)

func makePlane(t *testing.T, ways planetest.Ways) planetest.Plane {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plane, err := New(Options{Realm: planetest.Realm, Listener: listener, Realms: ways.Realms, ProxyOthers: ways.Others})
	if err != nil {
		t.Fatal(err)
	}
	return planetest.Plane{DataPlane: plane, Addr: func() string { return listener.Addr().String() }}
}

func TestContract(t *testing.T) { planetest.Run(t, makePlane) }
