//go:build withoutcas

package atlas

import "github.com/nats-io/nats.go"

// expect does nothing: this build is broken on purpose. The tests of faults
// have to notice.
func expect(nats.Header, uint64) {}
