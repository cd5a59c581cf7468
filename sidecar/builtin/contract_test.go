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
	opts := Options{Realm: planetest.Realm, Listener: listener, Realms: ways.Realms, ProxyOthers: ways.Others, MaxConnections: ways.MaxConnections, Zone: ways.Zone}
	var doors []string
	for _, d := range ways.Doors {
		l := listenOn(t, d.Network, d.Address)
		opts.Doors = append(opts.Doors, Door{Listener: l, Service: d.Service})
		doors = append(doors, l.Addr().String())
	}
	plane, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return planetest.Plane{DataPlane: plane, Addr: func() string { return listener.Addr().String() }, Doors: func() []string { return doors }}
}

func TestContract(t *testing.T) { planetest.Run(t, makePlane) }
