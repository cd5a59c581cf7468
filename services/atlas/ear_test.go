package atlas

import (
	"testing"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
)

func TestHeartbeatsComeByConnectionsOfTheirOwn(t *testing.T) {
	b := startBus(t, t.TempDir())
	ears := []*bus.Conn{dial(t, b.server.AtlasOptions()), dial(t, b.server.AtlasOptions())}
	t.Cleanup(func() { ears[0].Close(); ears[1].Close() })
	n, err := Start(t.Context(), Options{Conn: b.atlas, Heartbeats: ears, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(t.Context()) })
	lease, err := register(t, b.app, host001, nowhere(t), "x")
	if err != nil {
		t.Fatal(err)
	}
	before := n.leases.find(host001).seen()
	for range 8 {
		if err := heartbeat(t, b.app, host001, lease, registry.Passing); err != nil {
			t.Fatal(err)
		}
	}
	if after := n.leases.find(host001).seen(); after <= before {
		t.Errorf("heard at %v, and after heartbeats at %v", before, after)
	}
	ears[0].Close()
	awaitDeaf(t, n)
}

// awaitDeaf waits until a node knows that it does not hear.
func awaitDeaf(t *testing.T, n *Node) {
	t.Helper()
	eventually(t, "the node notices that an ear is gone", func() bool {
		var deaf bool
		_ = n.ask(t.Context(), func(s *state) { deaf = s.deaf(s.grace) })
		return deaf
	})
}
