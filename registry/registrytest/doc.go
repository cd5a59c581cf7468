// Package registrytest is the contract of a registry as a test suite. Every
// implementation of the ports passes it, so what is tested with the one in
// memory holds with Atlas on a bus:
//
//	func TestContract(t *testing.T) {
//		registrytest.Run(t, func(t *testing.T) registrytest.Harness {
//			reg := memory.New(memory.Options{})
//			t.Cleanup(reg.Close)
//			return registrytest.Harness{Atlas: reg, Beater: reg, Source: reg, Realm: "test", PublishDigest: reg.PublishDigest}
//		})
//	}
//
// The suite runs in real time and on real loopback sockets, because a registry
// may probe the endpoints that register. It waits for what it expects, never
// for time to pass.
package registrytest
