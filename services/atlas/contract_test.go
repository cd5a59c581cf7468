package atlas

import (
	"context"
	"testing"
	"time"

	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/registrytest"
)

// TestContract runs the suite that the registry in memory passes too, through
// the bus and its accounts.
func TestContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Harness {
		b := startBus(t, t.TempDir())
		n, err := Start(t.Context(), Options{Conn: b.atlas, DigestEvery: 50 * time.Millisecond, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = n.Stop(ctx)
		})
		client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
		return registrytest.Harness{Atlas: client, Beater: client, Source: client, Realm: "test"}
	})
}
