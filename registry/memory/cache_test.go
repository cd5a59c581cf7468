package memory_test

import (
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
	"fairlead.dev/registry/registrytest"
)

func TestCacheContract(t *testing.T) {
	registrytest.RunCache(t, func(*testing.T) registry.Cache { return new(memory.Cache) })
}
