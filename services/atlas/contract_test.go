package atlas

import (
	"testing"

	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/registrytest"
)

func TestAtlasFulfilsTheRegistrysContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Harness {
		b := startBus(t, t.TempDir())
		startNode(t, b, Terms{})
		client := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()})
		return registrytest.Harness{Atlas: client, Beater: client, Source: client, Explainer: client, Settings: client, Realm: "local"}
	})
}
