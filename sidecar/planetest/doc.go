// Package planetest is what every data plane must do, as a suite of tests that
// each runs on real sockets:
//
//	func TestContract(t *testing.T) {
//		planetest.Run(t, func(t *testing.T) planetest.Plane {
//			plane, err := builtin.New(…)
//			return planetest.Plane{DataPlane: plane, Addr: func() string { return addr }}
//		})
//	}
//
// Where the planes may differ, the suite says so, and what it takes of either
// is safe.
package planetest
