package memory_test

import (
	"testing"

	"fairlead.dev/registry/memory"
	"fairlead.dev/registry/registrytest"
)

func TestContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Harness {
		reg := memory.New(memory.Options{})
		t.Cleanup(reg.Close)
		return registrytest.Harness{Atlas: reg, Beater: reg, Source: reg, Explainer: reg, Settings: reg, Realm: "test", PublishDigest: reg.PublishDigest}
	})
}
